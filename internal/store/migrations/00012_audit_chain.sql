-- The audit trail becomes chains: one stream for each process that writes, each row with
-- the hash of the one before. Heads, signed checkpoints over them, and the manifests of
-- partitions that retention dropped stand beside it.

-- +goose Up

-- json, unlike jsonb, gives a text back as it was written, byte for byte: it is hashed.
ALTER TABLE security_audit_logs
    ADD COLUMN stream          text   NOT NULL DEFAULT '', -- '': written before there were streams
    ADD COLUMN seq             bigint NOT NULL DEFAULT 0,
    ADD COLUMN policy_revision bigint NOT NULL DEFAULT 0,
    ADD COLUMN trace_id        text   NOT NULL DEFAULT '',
    ADD COLUMN prev            bytea  NOT NULL DEFAULT '',
    ADD COLUMN hash            bytea  NOT NULL DEFAULT '',
    ALTER COLUMN roles TYPE json,
    ALTER COLUMN context TYPE json;
CREATE INDEX idx_security_audit_logs_stream ON security_audit_logs (stream, seq);

-- The head of each stream, moved in the transaction that appends to it.
CREATE TABLE audit_streams (
    stream    text PRIMARY KEY CHECK (stream <> ''),
    process   text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz, -- NULL: it is written to, or its process was killed
    at        timestamptz NOT NULL DEFAULT clock_timestamp(), -- of the last change
    seq       bigint NOT NULL CHECK (seq >= 0),
    hash      bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 50);

CREATE TABLE audit_checkpoints (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at   timestamptz NOT NULL,
    note text NOT NULL
);
CREATE INDEX idx_audit_checkpoints_at ON audit_checkpoints (at);

CREATE TABLE audit_partitions (
    name       text PRIMARY KEY,
    upper      timestamptz NOT NULL,
    rows       bigint NOT NULL,
    manifest   text NOT NULL, -- JSON: of each stream the runs that stood in the partition
    digest     text NOT NULL, -- SHA-256 of it, also in the audit row of the drop
    sealed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    dropped_at timestamptz
);

-- +goose StatementBegin
DO $$
DECLARE
    t regclass;
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_streams', 'audit_checkpoints', 'audit_partitions']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
-- +goose StatementEnd

CREATE POLICY read_streams ON audit_streams FOR SELECT USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY open_streams ON audit_streams FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY move_streams ON audit_streams FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');
CREATE POLICY read_checkpoints ON audit_checkpoints FOR SELECT USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY add_checkpoints ON audit_checkpoints FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY read_manifests ON audit_partitions FOR SELECT USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY add_manifests ON audit_partitions FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY close_manifests ON audit_partitions FOR UPDATE USING ((SELECT wedsync_maintains()));

-- Retention no longer drops the audit trail with the rest: the function as it is keeps its
-- work on everything else, and is reached by way of this one alone.
ALTER FUNCTION wedsync_drop_partitions(timestamptz, integer, integer) RENAME TO wedsync_drop_other_partitions;
-- +goose StatementBegin
CREATE FUNCTION wedsync_drop_partitions(p_now timestamptz, p_metrics_days integer, p_audit_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
BEGIN
    IF p_audit_days IS NULL OR p_audit_days NOT BETWEEN 1 AND 36500 THEN
        RAISE EXCEPTION 'auditDays must be from 1 to 36500' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY SELECT * FROM public.wedsync_drop_other_partitions(p_now, p_metrics_days, 36500);
END $$;
-- +goose StatementEnd

-- wedsync_drop_audit_partition drops one month of the trail: only when it lies wholly
-- before the retention by the clock of the database, its manifest is kept, and it still
-- holds as many rows as the manifest says.
-- +goose StatementBegin
CREATE FUNCTION wedsync_drop_audit_partition(p_name text, p_audit_days integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    sealed public.audit_partitions%ROWTYPE;
    held   bigint;
BEGIN
    PERFORM public.wedsync_require_system();
    IF p_audit_days IS NULL OR p_audit_days NOT BETWEEN 1 AND 36500 THEN
        RAISE EXCEPTION 'auditDays must be from 1 to 36500' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('wedsync partitions', 0));
    SELECT * INTO sealed FROM public.audit_partitions WHERE name = p_name AND dropped_at IS NULL;
    IF NOT FOUND OR sealed.upper > date_trunc('month', now()::date - p_audit_days) THEN
        RAISE EXCEPTION 'partition % is not sealed, or is within retention', p_name USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                   WHERE i.inhparent = 'public.security_audit_logs'::regclass AND c.relname = p_name
                   AND p_name ~ '^security_audit_logs_p[0-9]{6}$' AND to_date(right(p_name, 6), 'YYYYMM') < sealed.upper) THEN
        RETURN false;
    END IF;
    PERFORM set_config('wedsync.maintenance', 'on', true);
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', p_name);
    SELECT count(*) INTO held FROM public.security_audit_logs
        WHERE at >= to_date(right(p_name, 6), 'YYYYMM') AND at < sealed.upper;
    IF held <> sealed.rows THEN
        RAISE EXCEPTION 'partition % holds % rows, its manifest says %', p_name, held, sealed.rows USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('DROP TABLE public.%I', p_name);
    UPDATE public.audit_partitions SET dropped_at = clock_timestamp() WHERE name = p_name;
    PERFORM set_config('wedsync.maintenance', 'off', true);
    RETURN true;
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION wedsync_drop_partitions(timestamptz, integer, integer),
    wedsync_drop_other_partitions(timestamptz, integer, integer),
    wedsync_drop_audit_partition(text, integer) FROM PUBLIC;
