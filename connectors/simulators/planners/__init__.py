"""Resource planners and small PSA systems: Kantata, SuiteProjects Pro (OpenAir), Harvest, Float and Runn."""
