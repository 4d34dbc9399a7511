package api

import (
	"cmp"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/workflows"
)

func specification4test(t testing.TB) (*document, *server) {
	t.Helper()
	d, err := readDocument()
	require.NoError(t, err)
	s := &server{}
	require.NoError(t, s.readSpecification())
	return d, s
}

func TestRegisteredRoutesTheTableAndTheSpecificationAreTheSame(t *testing.T) {
	e, err := newEngine(newPlatform().config(t))
	require.NoError(t, err)
	var registered, listed, specified []string
	for _, r := range e.Routes() {
		registered = append(registered, r.Method+" "+r.Path)
	}
	permissions := map[string]models.Permission{}
	for _, r := range routes() {
		assert.NotContains(t, listed, r.key(), "one entry per route")
		listed = append(listed, r.key())
		assert.NotEqual(t, r.public, r.permission != "", "%s has one permission or is public", r.key())
		permissions[r.key()] = r.permission
	}
	d, _ := specification4test(t)
	for path, item := range d.Paths {
		for method, op := range item {
			key := strings.ToUpper(method) + " " + ginPath(path)
			specified = append(specified, key)
			require.NotNil(t, op.Permission, key)
			assert.Equal(t, permissions[key], models.Permission(*op.Permission), key)
			assert.NotEmpty(t, op.ID, key)
		}
	}
	assert.ElementsMatch(t, registered, listed)
	pages := slices.DeleteFunc(slices.Clone(listed), func(k string) bool { return strings.Contains(k, base) })
	assert.Len(t, pages, 11, "what is not under %s is a page", base)
	assert.ElementsMatch(t, append(specified, pages...), listed)
	for _, p := range permissions {
		assert.True(t, p == "" || slices.Contains(models.Permissions(), p), "%q is known", p)
	}
}

func TestTheGuideListsEveryRouteWithItsPermission(t *testing.T) {
	guide, err := os.ReadFile("../docs/api.md")
	require.NoError(t, err)
	call := regexp.MustCompile("`(?:(GET|POST|PUT|DELETE) )?(/[^`]*)`")
	told := map[string]string{}
	for line := range strings.Lines(string(guide)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		method := ""
		for _, m := range call.FindAllStringSubmatch(cells[1], -1) {
			method = cmp.Or(m[1], method)
			told[method+" "+base+ginPath(m[2])] = strings.TrimSpace(cells[2])
		}
	}
	want := map[string]string{}
	for _, r := range routes() {
		if strings.HasPrefix(r.path, base) {
			want[r.key()] = cmp.Or(strings.TrimPrefix(string(r.permission), "scalability:"), "public")
		}
	}
	assert.Equal(t, want, told)
}

// goTypes are the values that the specification describes.
func goTypes() map[string]any {
	return map[string]any{
		"models.Health": models.Health{}, "models.ServiceStatus": models.ServiceStatus{}, "models.ScalingState": models.ScalingState{},
		"models.LiveSnapshot": models.LiveSnapshot{}, "models.DatabaseStatus": models.DatabaseStatus{}, "models.Explanation": models.Explanation{},
		"models.Candidate": models.Candidate{}, "models.Shaping": models.Shaping{}, "models.Cap": models.Cap{}, "models.Deficit": models.Deficit{},
		"models.Counterfactual": models.Counterfactual{}, "models.Approval": models.Approval{}, "models.Flag": models.Flag{}, "models.Cost": models.Cost{}, "models.Decision": models.Decision{}, "models.Evidence": models.Evidence{},
		"models.Check": models.Check{}, "models.Step": models.Step{}, "models.Measurement": models.Measurement{},
		"models.CohortStats": models.CohortStats{}, "models.Sample": models.Sample{}, "models.IngestResult": models.IngestResult{},
		"models.Prediction": models.Prediction{}, "models.PredictionPoint": models.PredictionPoint{}, "models.WeddingShare": models.WeddingShare{},
		"models.ForecastGate": models.ForecastGate{}, "models.ForecastAccuracy": models.ForecastAccuracy{}, "models.AccuracyRow": models.AccuracyRow{},
		"models.DayLoad": models.DayLoad{}, "models.TimelinePoint": models.TimelinePoint{},
		"models.CatalogueEntry": models.CatalogueEntry{}, "models.Learned": models.Learned{}, "models.Standing": models.Standing{},
		"models.ApprovalEvidence": models.ApprovalEvidence{}, "models.Evaluation": models.Evaluation{}, "models.Savings": models.Savings{}, "models.AuditEntry": models.AuditEntry{}, "models.Threat": models.Threat{},
		"models.ServiceSavings": models.ServiceSavings{}, "models.Spending": models.Spending{}, "models.ScalingPolicy": models.ScalingPolicy{}, "models.ControlResult": models.ControlResult{},
		"models.Reservation": models.Reservation{}, "models.Wedding": models.Wedding{}, "models.WeddingContact": models.WeddingContact{},
		"models.ImportReport": models.ImportReport{}, "models.ImportFault": models.ImportFault{}, "models.ImportNote": models.ImportNote{},
		"models.CalendarStatus": models.CalendarStatus{}, "models.FeedState": models.FeedState{}, "models.CalendarFeed": models.CalendarFeed{}, "models.WorkflowRun": models.WorkflowRun{},
		"models.WorkflowSummary": models.WorkflowSummary{}, "models.WorkflowPage": models.WorkflowPage{}, "models.WorkflowDetail": models.WorkflowDetail{},
		"models.Judgement": models.Judgement{}, "models.PlatformJudgement": models.PlatformJudgement{}, "models.Breach": models.Breach{}, "models.ThresholdSet": models.ThresholdSet{},
		"models.WeddingDay": models.WeddingDay{}, "models.WeddingDayAnswer": models.WeddingDayAnswer{},
		"models.Season": models.Season{}, "models.SeasonPlan": models.SeasonPlan{}, "models.SeasonBounds": models.SeasonBounds{}, "models.SeasonAnswer": models.SeasonAnswer{},
	}
}

func TestSchemasDescribeTheModelsFieldByField(t *testing.T) {
	d, _ := specification4test(t)
	described := 0
	for name, sc := range d.Components.Schemas {
		if sc.Type != "object" || sc.GoType == "" {
			continue
		}
		v, ok := goTypes()[sc.GoType]
		require.True(t, ok, "%s: %s", name, sc.GoType)
		described++
		fields, required := jsonFields(reflect.TypeOf(v))
		var properties []string
		for p := range sc.Properties {
			properties = append(properties, p)
		}
		assert.ElementsMatch(t, fields, properties, name)
		if sc.Additional.Value != "false" { // an answer: what is always there is required
			assert.ElementsMatch(t, required, sc.Required, "required of %s", name)
		}
	}
	assert.GreaterOrEqual(t, described, len(goTypes()))
}

// jsonFields lists the fields of a struct in JSON, and those that are always there.
func jsonFields(t reflect.Type) (all, always []string) {
	for f := range t.Fields() {
		if f.Anonymous {
			a, w := jsonFields(f.Type)
			all, always = append(all, a...), append(always, w...)
			continue
		}
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		all = append(all, name)
		if option == "" {
			always = append(always, name)
		}
	}
	return all, always
}

func TestExamplesKeepTheirOwnRules(t *testing.T) {
	d, s := specification4test(t)
	seen := 0
	for name, sc := range d.Components.Schemas {
		if sc.Example == nil {
			continue
		}
		seen++
		raw, err := json.Marshal(sc.Example)
		require.NoError(t, err, name)
		v, err := parse(raw)
		require.NoError(t, err, name)
		var b breaches
		s.schema[name].check(v, name, &b)
		require.NoError(t, b.err())
	}
	assert.Greater(t, seen, 15)
}

func TestWhatModelsMakeKeepsTheRules(t *testing.T) {
	_, s := specification4test(t)
	for _, svc := range models.DefaultServices("fleet") {
		raw, err := json.Marshal(svc)
		require.NoError(t, err)
		assert.NoError(t, s.schema["Service"].checkDocument(raw), svc.Name)
	}
	raw, err := json.Marshal(newPlatform().weds[0])
	require.NoError(t, err)
	assert.NoError(t, s.schema["WeddingChange"].checkDocument(raw), "what was read can be written back")
}

func TestNamesOfTheContractAreTheSameHere(t *testing.T) {
	d, _ := specification4test(t)
	enum := func(path ...string) []string {
		sc := d.Components.Schemas[path[0]]
		for _, p := range path[1:] {
			sc = sc.Properties[p]
		}
		return sc.Enum
	}
	assert.Equal(t, text(models.ServiceNames()), enum("ServiceName"))
	assert.Equal(t, text(models.MetricNames()), enum("MetricName"))
	assert.Equal(t, append([]string{""}, text(models.Outcomes())...), enum("Decision", "outcome"))
	assert.Equal(t, append([]string{"open"}, text(models.Outcomes())...), d.Paths[base+"/decisions"]["get"].Parameters[3].Schema.Enum)
	assert.Equal(t, text([]models.ApprovalVerdict{models.ApprovalWaiting, models.ApprovalApproved, models.ApprovalRejected, models.ApprovalExpired}), enum("ApprovalVerdict"))
	assert.Equal(t, text(workflows.MaintenanceJobs()), enum("WorkflowStart", "job"))
	assert.Equal(t, []string{workflows.SignalSpike, workflows.SignalReservationChanged}, enum("WorkflowSignal", "signal"))
	for _, n := range models.ServiceNames() {
		assert.Equal(t, workflows.AutoscaleID(n), autoscaleID(n))
	}
}

func text[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

func TestAConfigurationWithAHoleIsRefusedByName(t *testing.T) {
	c := newPlatform().config(t)
	c.Audit, c.Policies = nil, nil
	_, err := New(c)
	require.ErrorContains(t, err, "Audit is missing")
	require.ErrorContains(t, err, "Policies is missing")
}
