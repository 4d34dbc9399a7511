-- Wedding days as they stand: phase, windows of strict thresholds, floors, check-list and
-- report, one row per date and region.

-- +goose Up
CREATE TABLE wedding_days (
    date         date NOT NULL,
    region       text NOT NULL, -- '': all regions
    phase        text NOT NULL CHECK (phase IN ('ahead', 'checklist', 'pre_warm', 'open', 'decay', 'cool_down', 'done')),
    text         text NOT NULL,
    weddings     integer NOT NULL CHECK (weddings >= 0),
    guests       integer NOT NULL CHECK (guests >= 0),
    windows      jsonb NOT NULL,
    thresholds   jsonb NOT NULL,
    floors       jsonb NOT NULL,
    checks       jsonb NOT NULL,
    notes        jsonb NOT NULL,
    report       jsonb, -- NULL: the day is not over
    strict_from  timestamptz, -- NULL: no window is open or to come
    strict_until timestamptz,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (date, region)
);
-- The monitor asks each minute which strict thresholds hold.
CREATE INDEX idx_wedding_days_strict ON wedding_days (strict_until) WHERE strict_until IS NOT NULL;
-- A day finds its own reservations.
CREATE INDEX idx_reservations_holder ON reservations (holder, created_at);

ALTER TABLE wedding_days ENABLE ROW LEVEL SECURITY;
ALTER TABLE wedding_days FORCE ROW LEVEL SECURITY;

-- A coordinator sees the days of the own weddings. The sub-select on weddings is bound by
-- the policies of weddings.
CREATE POLICY read_days ON wedding_days FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer'));
CREATE POLICY read_own_days ON wedding_days FOR SELECT USING (
    (SELECT wedsync_scope()) = 'wedding_coordinator'
    AND date IN (SELECT w.wedding_date FROM weddings w WHERE w.coordinator = (SELECT wedsync_subject())));
CREATE POLICY add_days ON wedding_days FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY change_days ON wedding_days FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');
