package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

func TestPoliciesAreProposedReviewedAndDecidedFromTheCommandLine(t *testing.T) {
	const rules = "p, role:scalability_admin, *, scalability:*, any, allow\n"
	proposed := models.AccessPolicy{ID: "p1", Text: rules, Reason: "an audit", Status: models.PolicyProposed, ProposedBy: "user:anna", ProposedAt: time.Date(2027, 6, 12, 9, 0, 0, 0, time.UTC)}
	approved := proposed
	approved.Status, approved.DecidedBy, approved.DecisionReason = models.PolicyApproved, "user:berta", "as agreed"
	review := reviewedPolicy{proposed, []models.ChangedCalls{{
		AuditedCalls: models.AuditedCalls{Roles: []models.Role{models.RoleViewer}, Permission: models.PermissionRead, Decision: models.AuditAllow, Count: 900, Subjects: 7},
		Would:        models.AuditDeny, Rule: "not granted",
	}}, 1200}
	ask, got := platform(t, map[string]any{
		"GET /access/policies":             map[string]any{"inForce": rules, "items": []models.AccessPolicy{approved, proposed}},
		"POST /access/policies":            review,
		"GET /access/policies/p1":          review,
		"GET /access/policies/same":        reviewedPolicy{approved, nil, 1200},
		"POST /access/policies/p1/approve": approved,
		"POST /access/policies/p1/reject":  approved,
	})
	file := filepath.Join(t.TempDir(), "rules.csv")
	require.NoError(t, os.WriteFile(file, []byte(rules), 0o600))

	out, _, err := ask("access", "policies", "propose", file, "--reason", "an audit")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"text": rules, "reason": "an audit"}, (*got)[0].body)
	for _, want := range []string{"p1: proposed, proposed by user:anna", rules, "Of the 1200 calls", "900", "scalability_viewer", "not granted"} {
		assert.Contains(t, out, want)
	}

	out, _, err = ask("access", "policies", "list")
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(out, "\n"))
	assert.Contains(t, out, "nobody yet")
	out, _, err = ask("access", "policies", "list", "--json")
	require.NoError(t, err)
	var listed []models.AccessPolicy
	require.NoError(t, json.Unmarshal([]byte(out), &listed))
	assert.Equal(t, []string{rules, rules}, []string{listed[0].Text, listed[1].Text})

	out, _, err = ask("access", "policies", "show", "same")
	require.NoError(t, err)
	assert.Contains(t, out, "decided by user:berta: as agreed")
	assert.Contains(t, out, "all 1200 calls of the last 24 hours as they were answered")

	for _, verb := range []string{"approve", "reject"} {
		out, _, err = ask("access", "policies", verb, "p1", "--reason", "as agreed")
		require.NoError(t, err)
		assert.Equal(t, "p1 is approved, decided by user:berta\n", out)
		assert.Equal(t, heard{http.MethodPost, "/access/policies/p1/" + verb, map[string]any{"reason": "as agreed"}}, (*got)[0])
	}

	big := filepath.Join(t.TempDir(), "big.csv")
	require.NoError(t, os.WriteFile(big, []byte(strings.Repeat("#", models.MaxPolicyBytes+1)), 0o600))
	for want, args := range map[string][]string{
		`flag(s) "reason"`:      {"access", "policies", "propose", file},
		"no such file":          {"access", "policies", "propose", file + "x", "--reason", "why"},
		"at most 65536 bytes":   {"access", "policies", "propose", big, "--reason", "why"},
		"does not exist":        {"access", "policies", "approve", "p2", "--reason", "why"},
		"accepts 1 arg(s)":      {"access", "policies", "reject", "--reason", "why"},
		`flag(s) "reason" not `: {"access", "policies", "approve", "p1"},
	} {
		_, _, err := ask(args...)
		require.ErrorContains(t, err, want, strings.Join(args, " "))
	}
}
