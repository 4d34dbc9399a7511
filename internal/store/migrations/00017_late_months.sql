-- A month of the audit trail for which nobody made a partition in time stands in the default
-- partition, which retention leaves alone. Whoever makes the coming partitions now makes those
-- of the past, too, for as many of its rows as are there.

-- +goose Up
ALTER FUNCTION wedsync_ensure_partitions(timestamptz, integer) RENAME TO wedsync_ensure_coming_partitions;

-- +goose StatementBegin
CREATE FUNCTION wedsync_ensure_partitions(p_now timestamptz, p_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    months date[];
    month  date;
    name   text;
BEGIN
    RETURN QUERY SELECT * FROM public.wedsync_ensure_coming_partitions(p_now, p_days);
    PERFORM set_config('wedsync.maintenance', 'on', true);
    -- A few years at a time, so that one call is bounded.
    months := ARRAY(
        SELECT DISTINCT date_trunc('month', at)::date AS m FROM public.security_audit_logs
        WHERE tableoid = 'public.security_audit_logs_default'::regclass AND at < now() AND at > now() - interval '10 years' ORDER BY m LIMIT 36);
    FOREACH month IN ARRAY months LOOP
        name := 'security_audit_logs_p' || to_char(month, 'YYYYMM');
        IF public.wedsync_make_partition('security_audit_logs', 'at', name, month, (month + interval '1 month')::date) THEN
            RETURN NEXT name;
        END IF;
    END LOOP;
    PERFORM set_config('wedsync.maintenance', 'off', true);
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION wedsync_ensure_partitions(timestamptz, integer),
    wedsync_ensure_coming_partitions(timestamptz, integer) FROM PUBLIC;
