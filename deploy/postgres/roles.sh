#!/bin/sh
# Run once, when the database is made: the owner of the tables, and the application, which owns nothing.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set owner="$OWNER_PASSWORD" --set app="$APP_PASSWORD" <<'SQL'
create role gateway_owner login password :'owner';
create role gateway_app login password :'app';
alter database gateway owner to gateway_owner;
SQL
