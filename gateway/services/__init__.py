"""One machine's own PostgreSQL and Valkey, and the supervisor behind `manage.py up`."""
