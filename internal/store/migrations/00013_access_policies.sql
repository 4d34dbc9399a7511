-- Access policies as they were proposed and approved. The one in force is the one that was
-- approved last. Row level security is the second lock on two of the rules: who proposes
-- does so in their own name, and nobody decides on their own proposal.

-- +goose Up
CREATE TABLE access_policies (
    id              text PRIMARY KEY,
    text            text NOT NULL CHECK (length(text) <= 65536),
    reason          text NOT NULL,
    status          text NOT NULL CHECK (status IN ('proposed', 'approved', 'rejected')),
    proposed_by     text NOT NULL,
    proposed_at     timestamptz NOT NULL,
    decided_by      text NOT NULL DEFAULT '',
    decided_at      timestamptz,
    decision_reason text NOT NULL DEFAULT '',
    CHECK ((status = 'proposed') = (decided_at IS NULL)),
    CHECK (decided_by <> proposed_by)
);
CREATE INDEX access_policies_decided ON access_policies (decided_at) WHERE status = 'approved';

ALTER TABLE access_policies ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_policies FORCE ROW LEVEL SECURITY;
CREATE POLICY read_policies ON access_policies FOR SELECT USING ((SELECT wedsync_scope()) IN ('system', 'scalability_admin'));
CREATE POLICY propose_policies ON access_policies FOR INSERT WITH CHECK (
    status = 'proposed' AND ((SELECT wedsync_scope()) = 'system'
        OR ((SELECT wedsync_scope()) = 'scalability_admin' AND proposed_by = (SELECT wedsync_subject()))));
CREATE POLICY decide_policies ON access_policies FOR UPDATE
    USING (status = 'proposed' AND ((SELECT wedsync_scope()) = 'system'
        OR ((SELECT wedsync_scope()) = 'scalability_admin' AND proposed_by <> (SELECT wedsync_subject()))))
    WITH CHECK ((SELECT wedsync_scope()) = 'system' OR decided_by = (SELECT wedsync_subject()));

CREATE TRIGGER access_policies_count AFTER UPDATE ON access_policies
    FOR EACH ROW EXECUTE FUNCTION wedsync_count_policy_change();
