-- Weddings from many sources, the feeds that they are read from, and contacts, which are
-- kept apart and encrypted.

-- +goose Up
ALTER TABLE weddings
    ADD COLUMN source         text NOT NULL DEFAULT 'api',
    ADD COLUMN external_uid   text NOT NULL DEFAULT '',
    ADD COLUMN source_version bigint NOT NULL DEFAULT 0 CHECK (source_version >= 0),
    ADD COLUMN type           text NOT NULL DEFAULT 'other' CHECK (type IN ('church', 'civil', 'outdoor', 'destination', 'other')),
    ADD COLUMN tier           text NOT NULL DEFAULT 'standard' CHECK (tier IN ('standard', 'premium', 'flagship'));
-- Two booking systems may use the same key.
ALTER TABLE weddings DROP CONSTRAINT weddings_reference_key;
ALTER TABLE weddings ADD CONSTRAINT weddings_reference_key UNIQUE (source, reference);
CREATE INDEX idx_weddings_wedding_date ON weddings (wedding_date, region);

CREATE TABLE wedding_contacts (
    wedding_id text PRIMARY KEY CONSTRAINT wedding_contacts_wedding_fkey REFERENCES weddings (id),
    key_id     text NOT NULL CHECK (key_id <> ''),
    sealed     bytea NOT NULL, -- AES-256-GCM: nonce, then ciphertext; bound to the wedding's ID
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL
);

CREATE TABLE calendar_feeds (
    id              text PRIMARY KEY,
    url             text NOT NULL, -- may hold a secret: for those who manage alone
    format          text NOT NULL CHECK (format IN ('ics', 'csv', 'jsonl')),
    source          text NOT NULL CONSTRAINT calendar_feeds_source_key UNIQUE,
    region          text NOT NULL,
    time_zone       text NOT NULL, -- of times that name none
    every_seconds   integer NOT NULL CHECK (every_seconds BETWEEN 60 AND 86400),
    enabled         boolean NOT NULL,
    etag            text NOT NULL,
    last_modified   text NOT NULL,
    last_attempt_at timestamptz,
    last_read_at    timestamptz, -- NULL: never read whole
    last_error      text NOT NULL,
    weddings        integer NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      text NOT NULL,
    updated_at      timestamptz NOT NULL
);

-- +goose StatementBegin
DO $$
DECLARE
    t regclass;
BEGIN
    FOREACH t IN ARRAY ARRAY['wedding_contacts', 'calendar_feeds']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- wedding_contacts: those who manage, and the coordinator of that very wedding. The
-- sub-select on weddings is bound by the policies of weddings.
CREATE POLICY read_contacts ON wedding_contacts FOR SELECT
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY read_own_contacts ON wedding_contacts FOR SELECT USING (
    (SELECT wedsync_scope()) = 'wedding_coordinator'
    AND wedding_id IN (SELECT w.id FROM weddings w WHERE w.coordinator = (SELECT wedsync_subject())));
CREATE POLICY add_contacts ON wedding_contacts FOR INSERT
    WITH CHECK ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY change_contacts ON wedding_contacts FOR UPDATE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY forget_contacts ON wedding_contacts FOR DELETE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));

-- calendar_feeds: everybody may know how old the calendar is
CREATE POLICY read_feeds ON calendar_feeds FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_feeds ON calendar_feeds FOR INSERT
    WITH CHECK ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY change_feeds ON calendar_feeds FOR UPDATE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY remove_feeds ON calendar_feeds FOR DELETE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
