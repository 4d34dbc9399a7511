package launch

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

// target is a workflow of this product, known by its ID.
type target struct {
	id      string
	family  family
	service models.ServiceName // autoscalers and operations
}

// family is what kind of ID a workflow has. The zero value is none of ours.
type family string

const (
	familyNone        family = ""
	familyAutoscale   family = "autoscale"
	familyOperation   family = "scale" // ScaleUp or ScaleDown
	familyMaintenance family = "maintenance"
	familyWeddingDay  family = "wedding-day"
	familySeason      family = "season"
)

var idPart = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,199}$`)

// parseID takes the IDs that workflows/contract.go makes. Everything else does not exist,
// whatever else the namespace may hold.
func parseID(id string) (target, error) {
	parts := strings.Split(id, "/")
	t := target{id: id, family: family(parts[0])}
	switch {
	case t.family == familyAutoscale && len(parts) == 2, t.family == familyOperation && len(parts) == 3 && idPart.MatchString(parts[2]):
		name, err := models.ParseServiceName("workflowId", parts[1])
		if err != nil {
			return target{}, models.NotFound("workflowId", id)
		}
		t.service = name
		return t, nil
	case t.family == familyWeddingDay && (len(parts) == 2 || len(parts) == 3 && idPart.MatchString(parts[2])) && isDate(parts[1]):
		return t, nil
	case t.family == familySeason && len(parts) == 2 && idPart.MatchString(parts[1]):
		return t, nil
	case t.family == familyMaintenance && len(parts) == 2 && idPart.MatchString(parts[1]):
		for _, job := range workflows.MaintenanceJobs() {
			// A schedule appends the time of its run.
			if rest, ok := strings.CutPrefix(id, workflows.MaintenanceID(job)); ok && (rest == "" || rest[0] == '-') {
				return t, nil
			}
		}
	}
	return target{}, models.NotFound("workflowId", id)
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// kinds are the workflow types in the API's words.
func kinds() map[string]models.WorkflowKind {
	return map[string]models.WorkflowKind{
		workflows.AutoscaleType: models.WorkflowAutoscale, workflows.ScaleUpType: models.WorkflowScaleUp,
		workflows.ScaleDownType: models.WorkflowScaleDown, workflows.MaintenanceType: models.WorkflowMaintenance,
		workflows.WeddingDayType: models.WorkflowWeddingDay, workflows.SeasonPreparationType: models.WorkflowSeason,
	}
}

// runURL is a run's page in Temporal's web interface; empty where none is configured.
func (l *Launcher) runURL(id, run string) string {
	if l.o.UIURL == "" {
		return ""
	}
	u := strings.TrimSuffix(l.o.UIURL, "/") + "/namespaces/" + url.PathEscape(l.o.Namespace) + "/workflows/" + url.PathEscape(id)
	if run != "" {
		u += "/" + url.PathEscape(run)
	}
	return u
}
