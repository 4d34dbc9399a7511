-- What threat detection found in the audit trail, and who of the workers looks now. An alert
-- is raised by the platform alone; people may only say that they have seen it.

-- +goose Up
CREATE TABLE security_alerts (
    id              text PRIMARY KEY,
    rule            text NOT NULL CHECK (rule IN ('brute_force', 'success_after_failures', 'credential_stuffing', 'spray',
                        'privilege_escalation', 'unusual_access', 'audit_integrity')),
    kind            text NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('warning', 'critical')),
    subject         text NOT NULL DEFAULT '',
    claimed         boolean NOT NULL, -- the subject is what a refused credential said
    network         text NOT NULL DEFAULT '',
    at              timestamptz NOT NULL,
    raised_at       timestamptz NOT NULL,
    entries         integer NOT NULL CHECK (entries >= 0),
    evidence        jsonb NOT NULL,
    sentence        text NOT NULL,
    response        text NOT NULL DEFAULT '' CHECK (response IN ('', 'delay_account', 'throttle_network', 'revoke_subject')),
    respond_until   timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    note            text NOT NULL DEFAULT '',
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by = '')),
    CHECK (response <> 'revoke_subject' OR NOT claimed) -- nobody's word ends a session
);
CREATE INDEX idx_security_alerts_raised_at ON security_alerts (raised_at DESC, id DESC);

-- One row: which process watches, until when nobody else may, and up to when it has seen.
CREATE TABLE threat_watch (
    id           smallint PRIMARY KEY CHECK (id = 1),
    holder       text NOT NULL,
    leased_until timestamptz NOT NULL,
    seen_until   timestamptz NOT NULL
) WITH (fillfactor = 50);
INSERT INTO threat_watch (id, holder, leased_until, seen_until) VALUES (1, '', '-infinity', now());

ALTER TABLE security_alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE security_alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY read_alerts ON security_alerts FOR SELECT USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY raise_alerts ON security_alerts FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY acknowledge_alerts ON security_alerts FOR UPDATE
    USING (acknowledged_at IS NULL AND (SELECT wedsync_scope()) IN ('system', 'scalability_admin'))
    WITH CHECK ((SELECT wedsync_scope()) = 'system' OR acknowledged_by = (SELECT wedsync_subject()));

ALTER TABLE threat_watch ENABLE ROW LEVEL SECURITY;
ALTER TABLE threat_watch FORCE ROW LEVEL SECURITY;
CREATE POLICY read_watch ON threat_watch FOR SELECT USING ((SELECT wedsync_scope()) = 'system');
CREATE POLICY take_watch ON threat_watch FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');
