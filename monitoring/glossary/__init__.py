"""Terms measured: in the hub and in every system, compared, and told when the numbers part."""
