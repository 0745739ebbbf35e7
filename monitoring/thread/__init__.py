"""One page an engagement: from the won deal to posted revenue, each leg with its system, id, time, promise and evidence."""
