-- Service accounts with the hashes of their keys, and tokens that were ended before their
-- time. All of it is kept: who could call when is part of the record.

-- +goose Up
CREATE TABLE service_accounts (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{1,62}$'),
    description text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL
);

CREATE TABLE service_keys (
    id         text PRIMARY KEY,
    account    text NOT NULL REFERENCES service_accounts (name),
    hash       bytea NOT NULL CHECK (length(hash) = 32),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    revoked_at timestamptz,
    revoked_by text NOT NULL DEFAULT ''
);
CREATE INDEX service_keys_account ON service_keys (account);

CREATE TABLE revocations (
    id         text PRIMARY KEY,
    token_id   text NOT NULL DEFAULT '',
    subject    text NOT NULL DEFAULT '',
    reason     text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    CHECK ((token_id = '') <> (subject = ''))
);
CREATE INDEX revocations_until ON revocations (until);

-- +goose StatementBegin
DO $$
DECLARE
    t regclass;
BEGIN
    FOREACH t IN ARRAY ARRAY['service_accounts', 'service_keys', 'revocations']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY read_rows ON %s FOR SELECT USING ((SELECT wedsync_scope()) IN (''system'', ''scalability_admin''))', t);
        EXECUTE format('CREATE POLICY add_rows ON %s FOR INSERT WITH CHECK ((SELECT wedsync_scope()) IN (''system'', ''scalability_admin''))', t);
    END LOOP;
END $$;
-- +goose StatementEnd
CREATE POLICY revoke_keys ON service_keys FOR UPDATE USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
