-- Seasons: what is prepared for, each version of its plan, its gates, and what load tests
-- have shown.

-- +goose Up
CREATE TABLE seasons (
    id           text PRIMARY KEY,
    name         text NOT NULL,
    time_zone    text NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    bounds       jsonb NOT NULL,
    requested_by text NOT NULL,
    phase        text NOT NULL,
    outcome      text NOT NULL,
    sentence     text NOT NULL,
    report       jsonb,
    approved     integer NOT NULL,
    effective    integer NOT NULL,
    proposed     integer NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT seasons_span_check CHECK (ends_at > starts_at)
);
CREATE INDEX idx_seasons_starts_at ON seasons (starts_at DESC, id);

CREATE TABLE season_plans (
    season_id  text NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    made_at    timestamptz NOT NULL,
    status     text NOT NULL CHECK (status IN ('proposed', 'approved', 'amended', 'rejected', 'superseded')),
    weeks      jsonb NOT NULL,
    cost       double precision NOT NULL,
    quota      jsonb NOT NULL,
    database   jsonb,
    deficits   jsonb NOT NULL,
    edits      jsonb NOT NULL,
    amendment  jsonb,
    sentence   text NOT NULL,
    decided_by text NOT NULL,
    reason     text NOT NULL,
    decided_at timestamptz,
    PRIMARY KEY (season_id, version)
);

CREATE TABLE season_gates (
    season_id   text NOT NULL,
    gate        text NOT NULL CHECK (gate IN ('quota', 'load_test', 'game_day', 'freeze', 'rehearsal')),
    due_at      timestamptz NOT NULL,
    status      text NOT NULL CHECK (status IN ('passed', 'failed', 'skipped', 'missed')),
    attempts    integer NOT NULL,
    finished_at timestamptz NOT NULL,
    text        text NOT NULL,
    findings    jsonb NOT NULL,
    remedies    jsonb NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (season_id, gate),
    CONSTRAINT season_gates_skip_check CHECK (status <> 'skipped' OR (actor <> '' AND reason <> ''))
);

CREATE TABLE capacity_certificates (
    id           text PRIMARY KEY,
    season_id    text NOT NULL,
    service      text NOT NULL,
    capacity_rps double precision NOT NULL CHECK (capacity_rps >= 0),
    max_replicas integer NOT NULL CHECK (max_replicas >= 0),
    peak_rps     double precision NOT NULL CHECK (peak_rps >= 0),
    database_cap integer NOT NULL CHECK (database_cap >= 0),
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX idx_capacity_certificates_service ON capacity_certificates (service, issued_at DESC);

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['seasons', 'season_plans', 'season_gates', 'capacity_certificates'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format($p$CREATE POLICY read_seasons ON %I FOR SELECT USING ((SELECT wedsync_scope()) IN
            ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'))$p$, t);
        EXECUTE format($p$CREATE POLICY add_seasons ON %I FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system')$p$, t);
        EXECUTE format($p$CREATE POLICY change_seasons ON %I FOR UPDATE USING ((SELECT wedsync_scope()) = 'system')$p$, t);
    END LOOP;
END $$;
-- +goose StatementEnd
