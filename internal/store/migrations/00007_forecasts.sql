-- The load of each hour, kept for years where ten-second rollups are kept for weeks, and
-- each forecast of it with its origin, to be scored when the hour has passed. Both are
-- small: nine rows an hour, and some fourteen leads of them.

-- +goose Up
CREATE TABLE hourly_loads (
    service  text NOT NULL,
    hour     timestamptz NOT NULL CHECK (hour = date_trunc('hour', hour, 'UTC')),
    mean_rps double precision NOT NULL CHECK (mean_rps >= 0 AND mean_rps < 'Infinity'),
    samples  bigint NOT NULL CHECK (samples > 0),
    source   text NOT NULL, -- metrics: measured here; else where it was loaded from
    PRIMARY KEY (service, hour) INCLUDE (mean_rps, samples)
);

CREATE TABLE load_forecasts (
    service     text NOT NULL,
    target_at   timestamptz NOT NULL, -- the hour that is forecast
    lead_hours  integer NOT NULL CHECK (lead_hours BETWEEN 1 AND 168),
    issued_at   timestamptz NOT NULL,
    method      text NOT NULL,
    expected    double precision NOT NULL,
    base        double precision NOT NULL,
    season      double precision NOT NULL,
    holiday     double precision NOT NULL,
    weddings    double precision NOT NULL, -- requests per second of all guests
    wedding_day boolean NOT NULL,
    holiday_day boolean NOT NULL,
    p025        double precision, -- NULL: there was no interval
    p10         double precision,
    p50         double precision,
    p90         double precision,
    p95         double precision,
    p975        double precision,
    actual      double precision, -- NULL: the hour has not passed, or was not measured
    PRIMARY KEY (service, lead_hours, target_at)
);
CREATE INDEX idx_load_forecasts_unscored ON load_forecasts (target_at) WHERE actual IS NULL;

ALTER TABLE hourly_loads ENABLE ROW LEVEL SECURITY;
ALTER TABLE hourly_loads FORCE ROW LEVEL SECURITY;
ALTER TABLE load_forecasts ENABLE ROW LEVEL SECURITY;
ALTER TABLE load_forecasts FORCE ROW LEVEL SECURITY;

CREATE POLICY read_hours ON hourly_loads FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_hours ON hourly_loads FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY change_hours ON hourly_loads FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');

CREATE POLICY read_forecasts ON load_forecasts FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_forecasts ON load_forecasts FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY change_forecasts ON load_forecasts FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');

-- The platform deletes what is past retention, and nothing younger.
CREATE POLICY retire_hours ON hourly_loads FOR DELETE
    USING ((SELECT wedsync_scope()) = 'system' AND hour < now() - interval '1100 days');
CREATE POLICY retire_forecasts ON load_forecasts FOR DELETE
    USING ((SELECT wedsync_scope()) = 'system' AND target_at < now() - interval '120 days');
