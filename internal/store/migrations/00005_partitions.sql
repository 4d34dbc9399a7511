-- Partitions are made and dropped by functions that run with the owner's rights, because
-- the application owns nothing. Each refuses any scope but system, bounds its arguments,
-- and resolves names in fixed schemas. Days and months are of UTC.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION wedsync_require_system() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('wedsync.role', true) IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'partitions are kept in scope system alone' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;
-- +goose StatementEnd

-- wedsync_make_partition makes one partition where it is missing. Rows of its span that
-- wait in the default partition are moved into it; the lock keeps others from adding more
-- meanwhile. ATTACH, unlike CREATE … PARTITION OF, lets writers of other days go on.
-- +goose StatementBegin
CREATE FUNCTION wedsync_make_partition(parent text, key text, name text, lower timestamptz, upper timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(format('public.%I', name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING CONSTRAINTS)', name, parent);
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', parent || '_default');
    EXECUTE format('WITH moved AS (DELETE FROM public.%I WHERE %I >= $1 AND %I < $2 RETURNING *) INSERT INTO public.%I SELECT * FROM moved',
        parent, key, key, name) USING lower, upper;
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', parent, name, lower, upper);
    RETURN true;
END $$;
-- +goose StatementEnd

-- wedsync_ensure_partitions makes the partitions from the day before p_now to p_days after
-- it, and the months that hold them, and answers with the names of those that are new.
-- +goose StatementBegin
CREATE FUNCTION wedsync_ensure_partitions(p_now timestamptz, p_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    day   date;
    last  date;
    month date;
    name  text;
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
    day := p_now::date - 1;
    last := p_now::date + p_days;
    month := date_trunc('month', day)::date;
    WHILE day <= last LOOP
        name := 'scalability_metrics_p' || to_char(day, 'YYYYMMDD');
        IF public.wedsync_make_partition('scalability_metrics', 'timestamp', name, day, day + 1) THEN
            RETURN NEXT name;
        END IF;
        day := day + 1;
    END LOOP;
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

-- wedsync_drop_partitions drops the partitions that lie wholly before the retention, and
-- answers with their names; rows of that age elsewhere (default partitions, health
-- snapshots, predictions) are deleted. The retention is counted from p_now or from the
-- clock of the database, whichever is earlier: a caller whose clock runs ahead loses
-- nothing.
-- +goose StatementBegin
CREATE FUNCTION wedsync_drop_partitions(p_now timestamptz, p_metrics_days integer, p_audit_days integer) RETURNS SETOF text
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
        WHERE (i.inhparent = 'public.scalability_metrics'::regclass AND c.relname ~ '^scalability_metrics_p[0-9]{8}$'
               AND to_date(right(c.relname, 8), 'YYYYMMDD') < metrics_before)
           OR (i.inhparent = 'public.security_audit_logs'::regclass AND c.relname ~ '^security_audit_logs_p[0-9]{6}$'
               AND to_date(right(c.relname, 6), 'YYYYMM') < audit_before)
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
        RETURN NEXT name;
    END LOOP;
    DELETE FROM public.scalability_metrics WHERE "timestamp" < metrics_before;
    DELETE FROM public.security_audit_logs WHERE at < audit_before;
    DELETE FROM public.system_health_snapshots WHERE at < metrics_before;
    DELETE FROM public.wedding_predictions WHERE created_at < metrics_before;
    PERFORM set_config('wedsync.maintenance', 'off', true);
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION wedsync_require_system(),
    wedsync_make_partition(text, text, text, timestamptz, timestamptz),
    wedsync_ensure_partitions(timestamptz, integer),
    wedsync_drop_partitions(timestamptz, integer, integer) FROM PUBLIC;
