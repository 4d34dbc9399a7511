package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
)

// unrecorded are the methods that write without an entry in the trail, and why each may.
var unrecorded = map[string]string{
	"SaveEvaluation":         "it is a record itself, of every tick, that nobody can change; what it leads to is recorded as a decision",
	"SaveScalingState":       "the last evaluation again, for whoever looks",
	"SaveRollups":            "measurements; who delivered them is on record with their call",
	"RollHours":              "sums of measurements",
	"SaveForecasts":          "forecasts beside the earlier ones",
	"ScoreForecasts":         "what came, beside what was forecast",
	"SaveWeddingPredictions": "forecasts beside the earlier ones",
	"SaveHealthSnapshot":     "a measurement",
	"SaveFeedReading":        "how an attempt went; what was taken from a feed is recorded as an import",
	"WatchThreats":           "the lease of a process, every second",
}

// TestWhateverWritesIsOnRecordOrSaysWhyNot reads the sources: a method that comes to write to
// the tables by another door than change and changed has to be named above.
func TestWhateverWritesIsOnRecordOrSaysWhyNot(t *testing.T) {
	doors := map[string]map[string]bool{} // method → the doors that it uses
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "trail.go" || name == "scoped.go" {
			continue
		}
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), name, raw, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "s" {
						if doors[f.Name.Name] == nil {
							doors[f.Name.Name] = map[string]bool{}
						}
						doors[f.Name.Name][sel.Sel.Name] = true
					}
				}
				return true
			})
		}
	}
	recorded := 0
	for method, used := range doors {
		if used["change"] || used["changed"] {
			recorded++
		}
		_, excused := unrecorded[method]
		assert.Equal(t, excused, used["write"], "%s: what writes without an entry is named with its reason, and nothing else is", method)
		assert.False(t, used["scoped"], "%s goes round read and write", method)
	}
	for method := range unrecorded {
		assert.Contains(t, doors, method, "it is gone")
	}
	assert.Greater(t, recorded, 25)
}

// TestWhatThePlatformDoesByItselfIsOnRecord is of effects that no call of the API stands for.
func TestWhatThePlatformDoesByItselfIsOnRecord(t *testing.T) {
	w := &witness{}
	s := fresh(t).Audited(w)
	ctx := t.Context()
	last := func() models.AuditEntry {
		require.NotEmpty(t, w.entries)
		e := w.entries[len(w.entries)-1]
		assert.Equal(t, "svc:test", e.Actor)
		return e
	}
	_, err := s.SeedServices(ctx, []models.Service{aService()})
	require.NoError(t, err)
	require.NoError(t, s.CreateReservation(ctx, aReservation("r-1")))
	n, err := s.EndReservations(ctx, []string{"r-1", "r-2"}, "svc:season", noon.Add(time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, "change.end.reservations", last().Action)
	assert.Equal(t, map[string]string{"count": "1", "reservations00": "r-1"}, last().Context)
	before := len(w.entries)
	_, err = s.EndReservations(ctx, []string{"r-1"}, "svc:season", noon.Add(time.Minute))
	require.NoError(t, err)
	assert.Len(t, w.entries, before, "nothing was left to end")

	day := aDay("2027-06-12")
	require.NoError(t, s.SaveWeddingDay(ctx, day))
	assert.Equal(t, []any{"change.save.wedding.day", "wedding-day/2027-06-12/", string(day.Phase)}, []any{last().Action, last().Object, last().Context["phase"]})
	before = len(w.entries)
	day.Text, day.UpdatedAt = "the numbers of a minute later", noon.Add(time.Minute)
	require.NoError(t, s.SaveWeddingDay(ctx, day))
	assert.Len(t, w.entries, before, "a minute later nothing has turned")
	day.Notes = append(day.Notes, models.DayNote{At: noon.Add(time.Minute), Text: "more guests than planned: somebody is called"})
	require.NoError(t, s.SaveWeddingDay(ctx, day))
	assert.Equal(t, map[string]string{"note01": "more guests than planned: somebody is called"}, last().Context)

	keepSeason(t, s, "summer")
	actions := map[string]bool{}
	for _, e := range w.entries[before:] {
		actions[e.Action] = true
	}
	for _, want := range []string{"change.keep.season", "change.save.plan", "change.save.capacity.proofs"} {
		assert.Contains(t, actions, want)
	}

	_, err = s.EnsurePartitions(ctx, time.Now().AddDate(0, 3, 0), 1)
	require.NoError(t, err)
	assert.Equal(t, "change.ensure.partitions", last().Action)
	assert.Contains(t, last().Context["partitions00"], "scalability_metrics_p")
	_, err = s.LoadHours(ctx, models.ServiceAPI, "csv:api.csv", []models.HourlyLoad{{Hour: noon, MeanRPS: 1, Samples: 1}})
	require.NoError(t, err)
	assert.Equal(t, []string{"change.load.hours", "csv:api.csv", "1"}, []string{last().Action, last().Context["source"], last().Context["hours"]})
}

func TestManyNamesStandInTheContextOfAnEntry(t *testing.T) {
	var names []string
	for range 400 {
		names = append(names, "0197f3c2-5b7e-7c31-9a54-2f0e6d1c8b90")
	}
	c := named("weddings", names)
	assert.Equal(t, "400", c["count"])
	assert.LessOrEqual(t, len(c), 36, "an entry keeps forty")
	for key, value := range c {
		assert.LessOrEqual(t, len(value), 600, key)
	}
}
