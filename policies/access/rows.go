package access

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wedsync/scalability/models"
)

// Words of the policy's columns.
const (
	rolePrefix    = "role:"
	anyPermission = "scalability:*"
	anyObject     = "*"

	condAny          = "any"
	condWeddingDay   = "wedding_day"
	condChangeFreeze = "change_freeze"

	effectAllow = "allow"
	effectDeny  = "deny"
)

// maxDepth bounds the hierarchy: beyond ten levels Casbin stops following roles and
// denies without a word.
const maxDepth = 8

// rows is a policy that was read and found whole.
type rows struct {
	rules    [][]string // role, object, permission, condition, effect
	inherits [][]string // role, role whose rules it has too
}

// parse reads a policy and refuses what Casbin would take and misread: a row of another
// length fails every later check, a typo in the effect is ignored, an unknown name never
// matches. All faults are named, with their lines.
func parse(text string) (rows, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace = '#', -1, true
	records, err := r.ReadAll()
	if err != nil {
		return rows{}, fmt.Errorf("access: policy: %w", err)
	}
	var out rows
	var errs []error
	seen := map[string]bool{}
	for i, record := range records {
		kind, fields := record[0], record[1:]
		fault := checkRow(kind, fields)
		if key := strings.Join(record, ","); seen[key] {
			fault = "stands there twice"
		} else {
			seen[key] = true
		}
		if fault != "" {
			errs = append(errs, fmt.Errorf("access: policy row %d %q: %s", i+1, record, fault))
			continue
		}
		if kind == "g" {
			out.inherits = append(out.inherits, fields)
		} else {
			out.rules = append(out.rules, fields)
		}
	}
	if len(out.rules) == 0 {
		errs = append(errs, errors.New("access: policy: no rule"))
	}
	errs = append(errs, out.checkHierarchy())
	return out, errors.Join(errs...)
}

// checkRow says what is wrong with a row; "" is nothing.
func checkRow(kind string, fields []string) string {
	switch {
	case kind != "p" && kind != "g":
		return `must begin with p or g`
	case kind == "g" && len(fields) != 2:
		return "must have two roles"
	case kind == "g":
		return firstFault(checkRole(fields[0]), checkRole(fields[1]))
	case len(fields) != 5:
		return "must have role, object, permission, condition and effect"
	}
	return firstFault(
		checkRole(fields[0]),
		oneOf("object", fields[1], anyObject),
		oneOf("permission", fields[2], append(texts(models.Permissions()), anyPermission)...),
		oneOf("condition", fields[3], condAny, condWeddingDay, condChangeFreeze),
		oneOf("effect", fields[4], effectAllow, effectDeny),
	)
}

func checkRole(s string) string {
	name, ok := strings.CutPrefix(s, rolePrefix)
	if !ok || !slices.Contains(Roles(), models.Role(name)) {
		return fmt.Sprintf("role %q must be role: and one of %s", s, strings.Join(texts(Roles()), ", "))
	}
	return ""
}

func oneOf(column, value string, allowed ...string) string {
	if slices.Contains(allowed, value) {
		return ""
	}
	return fmt.Sprintf("%s %q must be one of %s", column, value, strings.Join(allowed, ", "))
}

// checkHierarchy follows every chain of roles; one that does not end within maxDepth is
// too deep, or a circle.
func (r rows) checkHierarchy() error {
	next := map[string][]string{}
	for _, g := range r.inherits {
		next[g[0]] = append(next[g[0]], g[1])
	}
	level := next
	for range maxDepth {
		deeper := map[string][]string{}
		for role, reached := range level {
			for _, via := range reached {
				deeper[role] = append(deeper[role], next[via]...)
			}
			slices.Sort(deeper[role])
			deeper[role] = slices.Compact(deeper[role])
		}
		level = deeper
	}
	for _, role := range Roles() {
		if len(level[rolePrefix+string(role)]) > 0 {
			return fmt.Errorf("access: policy: the roles above %s form a circle, or more than %d levels", role, maxDepth)
		}
	}
	return nil
}

func firstFault(faults ...string) string {
	for _, f := range faults {
		if f != "" {
			return f
		}
	}
	return ""
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
