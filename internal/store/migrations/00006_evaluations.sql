-- Every evaluation of every service with what it was made from, one partition a day (UTC),
-- kept as long as metrics are; what a decision costs; how long replicas took to start.

-- +goose Up
CREATE TABLE scaling_evaluations (
    service               text NOT NULL,
    at                    timestamptz NOT NULL,
    decision_id           text NOT NULL,
    policy                text NOT NULL,
    inputs_hash           text NOT NULL,
    mode                  text NOT NULL,
    spec                  integer, -- NULL: the replicas could not be read
    ready                 integer NOT NULL,
    pending               integer NOT NULL,
    raw                   integer NOT NULL,
    desired               integer NOT NULL,
    class                 text NOT NULL,
    direction             text NOT NULL,
    cost_per_replica_hour double precision NOT NULL,
    capacity_rps          double precision, -- NULL: this moment says nothing of it
    text                  text NOT NULL,
    record                bytea NOT NULL, -- gzip of {"explanation": …, "inputs": …}, as they were
    -- What was spent is asked of weeks: with these two the index alone answers.
    PRIMARY KEY (service, at) INCLUDE (spec, cost_per_replica_hour)
) PARTITION BY RANGE (at);
CREATE TABLE scaling_evaluations_default PARTITION OF scaling_evaluations DEFAULT;
CREATE INDEX idx_scaling_evaluations_decision ON scaling_evaluations (decision_id) WHERE decision_id <> '';
CREATE INDEX idx_scaling_evaluations_capacity ON scaling_evaluations (service, at DESC)
    INCLUDE (capacity_rps) WHERE capacity_rps IS NOT NULL;

-- What the replicas cost in an hour, at the catalogue's price: before the change, and with
-- what it asks for, or once it is closed with what it left.
ALTER TABLE scalability_decisions
    ADD COLUMN cost_per_hour_before double precision,
    ADD COLUMN cost_per_hour_after double precision;

CREATE TABLE replica_starts (
    service    text NOT NULL,
    replica    text NOT NULL,
    ordered_at timestamptz NOT NULL,
    ready_at   timestamptz, -- NULL: it crashes, and has not served yet
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (service, replica, ordered_at)
);
CREATE INDEX idx_replica_starts_service ON replica_starts (service, ready_at DESC) WHERE ready_at IS NOT NULL;
CREATE INDEX idx_replica_starts_seen_at ON replica_starts (seen_at);

-- +goose StatementBegin
DO $$
DECLARE
    t regclass;
BEGIN
    FOREACH t IN ARRAY ARRAY['scaling_evaluations', 'scaling_evaluations_default', 'replica_starts']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
-- +goose StatementEnd

CREATE POLICY read_evaluations ON scaling_evaluations FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_evaluations ON scaling_evaluations FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY retire_evaluations ON scaling_evaluations FOR DELETE USING ((SELECT wedsync_maintains()));

CREATE POLICY read_starts ON replica_starts FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_starts ON replica_starts FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY change_starts ON replica_starts FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');
CREATE POLICY retire_starts ON replica_starts FOR DELETE USING ((SELECT wedsync_maintains()));

-- The functions of the partitions as they were, with the new table in its place.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION wedsync_ensure_partitions(p_now timestamptz, p_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    parent text;
    day    date;
    first  date;
    last   date;
    month  date;
    name   text;
BEGIN
    PERFORM public.wedsync_require_system();
    IF p_days IS NULL OR p_days NOT BETWEEN 1 AND 366 THEN
        RAISE EXCEPTION 'daysAhead must be from 1 to 366' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_now IS NULL OR NOT isfinite(p_now) OR p_now NOT BETWEEN now() - interval '10 years' AND now() + interval '10 years' THEN
        RAISE EXCEPTION 'now must be within ten years of the clock of the database' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('wedsync partitions', 0));
    PERFORM set_config('wedsync.maintenance', 'on', true);
    first := p_now::date - 1;
    last := p_now::date + p_days;
    FOREACH parent IN ARRAY ARRAY['scalability_metrics', 'scaling_evaluations'] LOOP
        day := first;
        WHILE day <= last LOOP
            name := parent || '_p' || to_char(day, 'YYYYMMDD');
            IF public.wedsync_make_partition(parent, CASE parent WHEN 'scalability_metrics' THEN 'timestamp' ELSE 'at' END, name, day, day + 1) THEN
                RETURN NEXT name;
            END IF;
            day := day + 1;
        END LOOP;
    END LOOP;
    month := date_trunc('month', first)::date;
    WHILE month <= last LOOP
        name := 'security_audit_logs_p' || to_char(month, 'YYYYMM');
        IF public.wedsync_make_partition('security_audit_logs', 'at', name, month, (month + interval '1 month')::date) THEN
            RETURN NEXT name;
        END IF;
        month := (month + interval '1 month')::date;
    END LOOP;
    PERFORM set_config('wedsync.maintenance', 'off', true);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION wedsync_drop_partitions(p_now timestamptz, p_metrics_days integer, p_audit_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    metrics_before date;
    audit_before   date;
    name           text;
BEGIN
    PERFORM public.wedsync_require_system();
    IF p_now IS NULL OR NOT isfinite(p_now) THEN
        RAISE EXCEPTION 'now must be a time' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_metrics_days IS NULL OR p_metrics_days NOT BETWEEN 1 AND 36500 THEN
        RAISE EXCEPTION 'metricsDays must be from 1 to 36500' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_audit_days IS NULL OR p_audit_days NOT BETWEEN 1 AND 36500 THEN
        RAISE EXCEPTION 'auditDays must be from 1 to 36500' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('wedsync partitions', 0));
    PERFORM set_config('wedsync.maintenance', 'on', true);
    metrics_before := least(p_now, now())::date - p_metrics_days;
    audit_before := date_trunc('month', least(p_now, now())::date - p_audit_days)::date;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE (i.inhparent IN ('public.scalability_metrics'::regclass, 'public.scaling_evaluations'::regclass)
               AND c.relname ~ '^(scalability_metrics|scaling_evaluations)_p[0-9]{8}$'
               AND to_date(right(c.relname, 8), 'YYYYMMDD') < metrics_before)
           OR (i.inhparent = 'public.security_audit_logs'::regclass AND c.relname ~ '^security_audit_logs_p[0-9]{6}$'
               AND to_date(right(c.relname, 6), 'YYYYMM') < audit_before)
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
        RETURN NEXT name;
    END LOOP;
    DELETE FROM public.scalability_metrics WHERE "timestamp" < metrics_before;
    DELETE FROM public.scaling_evaluations WHERE at < metrics_before;
    DELETE FROM public.security_audit_logs WHERE at < audit_before;
    DELETE FROM public.system_health_snapshots WHERE at < metrics_before;
    DELETE FROM public.wedding_predictions WHERE created_at < metrics_before;
    DELETE FROM public.replica_starts WHERE seen_at < metrics_before;
    PERFORM set_config('wedsync.maintenance', 'off', true);
END $$;
-- +goose StatementEnd
