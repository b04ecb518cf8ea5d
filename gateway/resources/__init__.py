"""/v1 of the ground floor, a file for each resource: thin over the rules, the same ones that the pages call."""
