package accesspolicy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/access"
)

// Records read what an access decision was, or would be, made from.
type Records interface {
	Reader
	Grants(ctx context.Context, subject string, at time.Time) (models.Grants, error)
	Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error)
	Reservations(ctx context.Context, service models.ServiceName, activeAt *time.Time) ([]models.Reservation, error)
}

// Explainer says whether a subject may do something at a time, and why, from the records
// alone: also of a time that has passed.
type Explainer struct{ Records Records }

// Explain answers a question. Of the past it tells by what is recorded: the bindings and
// the policy of that time, and the weddings as they stand now.
func (e *Explainer) Explain(ctx context.Context, q models.AccessQuestion) (models.AccessAnswer, error) {
	a := models.AccessAnswer{Subject: q.Subject, Permission: q.Permission, Object: q.Object, At: q.At, Policy: BuiltIn, Roles: []models.Role{}}
	if !access.IsSubject(q.Subject) {
		return a, models.Invalid("subject", q.Subject, "must be user:<sub> or svc:<sub>")
	}
	row, _, ok, err := e.Records.PolicyInForce(ctx, q.At)
	if err != nil {
		return a, fmt.Errorf("accesspolicy.Explain: %w", err)
	}
	policy, err := access.New()
	if ok {
		a.Policy = row.ID
		policy, err = access.Compile(row.Text)
	}
	if err != nil {
		return a, fmt.Errorf("accesspolicy.Explain: %w", err)
	}
	grants, err := e.Records.Grants(ctx, q.Subject, q.At)
	if err != nil {
		return a, fmt.Errorf("accesspolicy.Explain: %w", err)
	}
	a.Roles = append(a.Roles, grants.Roles...)
	if err := e.contexts(ctx, q, &a); err != nil {
		return a, fmt.Errorf("accesspolicy.Explain: %w", err)
	}
	v := policy.Check(access.Request{
		Subject: q.Subject, Roles: grants.Roles, Permission: q.Permission, Object: q.Object, WeddingDay: a.WeddingDay, ChangeFreeze: a.ChangeFreeze,
	})
	a.Allowed, a.Rule = v.Allowed(), v.Rule
	a.Text = sentence(a)
	return a, nil
}

// contexts finds which contexts held.
func (e *Explainer) contexts(ctx context.Context, q models.AccessQuestion, a *models.AccessAnswer) error {
	weddings, err := e.Records.Weddings(ctx, models.WeddingFilter{
		From: q.At.Add(-7 * 24 * time.Hour), Until: q.At.Add(48 * time.Hour), Coordinator: q.Subject, Limit: 1000,
	})
	if err != nil {
		return err
	}
	if id, named := strings.CutPrefix(q.Object, "wedding/"); named {
		weddings = only(weddings, id)
	}
	a.WeddingDay = access.OnWeddingDay(weddings, q.Subject, q.At)
	claims, err := e.Records.Reservations(ctx, "", &q.At)
	if err != nil {
		return err
	}
	service, named := strings.CutPrefix(q.Object, "service/")
	for _, r := range claims {
		if r.Kind == models.ReservationFreeze && (!named || string(r.Service) == service) {
			a.ChangeFreeze = true
		}
	}
	return nil
}

func only(weddings []models.Wedding, id string) []models.Wedding {
	for _, w := range weddings {
		if w.ID == id {
			return []models.Wedding{w}
		}
	}
	return nil
}

func sentence(a models.AccessAnswer) string {
	may, roles, why := "may", make([]string, len(a.Roles)), a.Rule
	for i, r := range a.Roles {
		roles[i] = string(r)
	}
	if !a.Allowed {
		may = "may not"
	}
	held := "holding no role"
	if len(roles) > 0 {
		held = "holding " + strings.Join(roles, ", ")
	}
	var contexts []string
	if a.WeddingDay {
		contexts = append(contexts, "on a wedding day of theirs")
	}
	if a.ChangeFreeze {
		contexts = append(contexts, "in a change freeze")
	}
	object := ""
	if a.Object != "" {
		object = " on " + a.Object
	}
	return strings.Join(append([]string{
		fmt.Sprintf("%s %s use %s%s at %s (%s)", a.Subject, may, a.Permission, object, a.At.UTC().Format(time.RFC3339), why), held,
	}, contexts...), ", ") + ", by policy " + a.Policy + "."
}
