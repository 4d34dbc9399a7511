-- Row level security on every table, forced, so that it binds the owner too. A policy
-- reads the scope that the application set for the transaction; without one no policy
-- fits. The sub-select makes the scope a constant of the statement, so that indexes on
-- the rows are still used. Partitions have no policies: rows are reached by way of
-- their table alone.

-- +goose Up
CREATE FUNCTION wedsync_scope() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT current_setting('wedsync.role', true) $$;
CREATE FUNCTION wedsync_subject() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('wedsync.subject', true), '') $$;
-- Rows are deleted by retention alone: its functions set this while they run. The
-- application has no privilege to delete, so setting it gains nothing.
CREATE FUNCTION wedsync_maintains() RETURNS boolean LANGUAGE sql STABLE
    AS $$ SELECT coalesce(current_setting('wedsync.role', true) = 'system' AND current_setting('wedsync.maintenance', true) = 'on', false) $$;

-- +goose StatementBegin
DO $$
DECLARE
    t regclass;
BEGIN
    FOREACH t IN ARRAY ARRAY['services', 'weddings', 'reservations', 'scaling_states', 'scalability_decisions',
        'wedding_predictions', 'system_health_snapshots', 'scalability_metrics', 'scalability_metrics_default',
        'security_audit_logs', 'security_audit_logs_default', 'role_bindings', 'policy_revisions']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- services
CREATE POLICY read_catalogue ON services FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_to_catalogue ON services FOR INSERT
    WITH CHECK ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY change_catalogue ON services FOR UPDATE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));

-- weddings: a coordinator sees the own ones
CREATE POLICY read_calendar ON weddings FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer'));
CREATE POLICY read_own_weddings ON weddings FOR SELECT USING (
    (SELECT wedsync_scope()) = 'wedding_coordinator' AND coordinator = (SELECT wedsync_subject()));
CREATE POLICY add_to_calendar ON weddings FOR INSERT
    WITH CHECK ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY change_calendar ON weddings FOR UPDATE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));

-- reservations: a coordinator's are floors for an own wedding. The sub-select on weddings
-- is bound by the policies of weddings.
CREATE POLICY read_claims ON reservations FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer'));
CREATE POLICY read_own_claims ON reservations FOR SELECT USING (
    (SELECT wedsync_scope()) = 'wedding_coordinator'
    AND wedding_id IN (SELECT w.id FROM weddings w WHERE w.coordinator = (SELECT wedsync_subject())));
CREATE POLICY place_claims ON reservations FOR INSERT WITH CHECK ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator'));
CREATE POLICY place_own_claims ON reservations FOR INSERT WITH CHECK (
    (SELECT wedsync_scope()) = 'wedding_coordinator' AND kind = 'floor'
    AND wedding_id IN (SELECT w.id FROM weddings w WHERE w.coordinator = (SELECT wedsync_subject())));
CREATE POLICY end_claims ON reservations FOR UPDATE USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator'));
CREATE POLICY end_own_claims ON reservations FOR UPDATE USING (
    (SELECT wedsync_scope()) = 'wedding_coordinator' AND kind = 'floor'
    AND wedding_id IN (SELECT w.id FROM weddings w WHERE w.coordinator = (SELECT wedsync_subject())));

-- scaling_states
CREATE POLICY read_states ON scaling_states FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_states ON scaling_states FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY change_states ON scaling_states FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');

-- scalability_decisions: people ask, the platform decides and closes
CREATE POLICY read_decisions ON scalability_decisions FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY make_decisions ON scalability_decisions FOR INSERT
    WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY request_decisions ON scalability_decisions FOR INSERT WITH CHECK (
    (SELECT wedsync_scope()) IN ('scalability_admin', 'scalability_operator') AND status = 'proposed');
CREATE POLICY change_decisions ON scalability_decisions FOR UPDATE USING ((SELECT wedsync_scope()) = 'system');

-- wedding_predictions
CREATE POLICY read_predictions ON wedding_predictions FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer'));
CREATE POLICY read_own_predictions ON wedding_predictions FOR SELECT USING (
    (SELECT wedsync_scope()) = 'wedding_coordinator'
    AND wedding_id IN (SELECT w.id FROM weddings w WHERE w.coordinator = (SELECT wedsync_subject())));
CREATE POLICY add_predictions ON wedding_predictions FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY retire_predictions ON wedding_predictions FOR DELETE USING ((SELECT wedsync_maintains()));

-- system_health_snapshots
CREATE POLICY read_health ON system_health_snapshots FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_health ON system_health_snapshots FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY retire_health ON system_health_snapshots FOR DELETE USING ((SELECT wedsync_maintains()));

-- scalability_metrics
CREATE POLICY read_metrics ON scalability_metrics FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY add_metrics ON scalability_metrics FOR INSERT
    WITH CHECK ((SELECT wedsync_scope()) IN ('system', 'ingest'));
CREATE POLICY retire_metrics ON scalability_metrics FOR DELETE USING ((SELECT wedsync_maintains()));

-- security_audit_logs: nobody writes an entry in another's name but the platform
CREATE POLICY read_audit ON security_audit_logs FOR SELECT
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY add_audit ON security_audit_logs FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system');
CREATE POLICY add_own_audit ON security_audit_logs FOR INSERT WITH CHECK (
    (SELECT wedsync_scope()) IN
    ('system', 'ingest', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator')
    AND actor = (SELECT wedsync_subject()));
CREATE POLICY retire_audit ON security_audit_logs FOR DELETE USING ((SELECT wedsync_maintains()));

-- role_bindings: nobody changes their own
CREATE POLICY read_bindings ON role_bindings FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'scalability_admin', 'scalability_operator'));
CREATE POLICY read_own_bindings ON role_bindings FOR SELECT USING (
    (SELECT wedsync_scope()) IN
    ('system', 'ingest', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator')
    AND subject = (SELECT wedsync_subject()));
CREATE POLICY add_bindings ON role_bindings FOR INSERT WITH CHECK ((SELECT wedsync_scope()) = 'system'
    OR ((SELECT wedsync_scope()) = 'scalability_admin' AND subject <> (SELECT wedsync_subject())));
CREATE POLICY change_bindings ON role_bindings FOR UPDATE USING ((SELECT wedsync_scope()) = 'system'
    OR ((SELECT wedsync_scope()) = 'scalability_admin' AND subject <> (SELECT wedsync_subject())));

-- policy_revisions: changed by the trigger of role_bindings alone
CREATE POLICY read_revision ON policy_revisions FOR SELECT USING ((SELECT wedsync_scope()) IN
    ('system', 'ingest', 'scalability_admin', 'scalability_operator', 'scalability_viewer', 'wedding_coordinator'));
CREATE POLICY change_revision ON policy_revisions FOR UPDATE
    USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
