-- The audit log, one partition a month (UTC), and who holds which role.

-- +goose Up
CREATE TABLE security_audit_logs (
    id         text NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL,
    object     text NOT NULL,
    decision   text NOT NULL CHECK (decision IN ('allow', 'deny')),
    rule       text NOT NULL,
    roles      jsonb,
    request_id text NOT NULL,
    remote_ip  text NOT NULL,
    context    jsonb,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE security_audit_logs_default PARTITION OF security_audit_logs DEFAULT;

CREATE INDEX idx_security_audit_logs_at ON security_audit_logs (at DESC);
CREATE INDEX idx_security_audit_logs_actor ON security_audit_logs (actor, at DESC);

CREATE TABLE role_bindings (
    subject    text NOT NULL CHECK (subject ~ '^(user|svc):.'),
    role       text NOT NULL CHECK (role IN ('scalability_admin', 'scalability_operator',
                   'scalability_viewer', 'wedding_coordinator', 'metrics_writer')),
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subject, role)
);

-- One row: the number of changes to the bindings. Caches of permissions hold under it.
CREATE TABLE policy_revisions (
    id       smallint PRIMARY KEY CHECK (id = 1),
    revision bigint NOT NULL
);
INSERT INTO policy_revisions (id, revision) VALUES (1, 1);

-- SECURITY DEFINER: nobody but this trigger has the privilege to change the number.
-- +goose StatementBegin
CREATE FUNCTION wedsync_count_policy_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD IS DISTINCT FROM NEW THEN
        UPDATE public.policy_revisions SET revision = revision + 1 WHERE id = 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the policy revision is out of reach' USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION wedsync_count_policy_change() FROM PUBLIC;

CREATE TRIGGER role_bindings_count AFTER INSERT OR UPDATE OR DELETE ON role_bindings
    FOR EACH ROW EXECUTE FUNCTION wedsync_count_policy_change();
