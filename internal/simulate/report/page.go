package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"

	"github.com/wedsync/scalability/internal/simulate/suite"
)

//go:embed page.html.tmpl
var pageText string

// page is what the template shows.
type page struct {
	suite.Report
	Missed int
	Fronts []chart
	Days   []chart
	Loads  []loadTable
	Faults []faultRow
}

// loadTable is the reported runs of one load.
type loadTable struct {
	Load string
	Rows []suite.Row
}

// faultRow is one fault with what each policy did, in the order of FaultPolicies.
type faultRow struct {
	Fault string
	Cells []suite.Fault
}

// Page writes the page.
func Page(w io.Writer, r suite.Report) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"f0": func(v float64) string { return fmt.Sprintf("%.0f", v) },
		"f1": func(v float64) string { return fmt.Sprintf("%.1f", v) },
		"f2": func(v float64) string { return fmt.Sprintf("%.2f", v) },
		"f3": func(v float64) string { return fmt.Sprintf("%.3f", v) },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, view(r))
}

func view(r suite.Report) page {
	p := page{Report: r}
	for _, g := range r.Goals {
		if !g.Met {
			p.Missed++
		}
	}
	for _, load := range loads(r) {
		for _, part := range []struct{ part, title string }{
			{suite.PartTune, "the first 60 %, on which targets are chosen"},
			{suite.PartReport, "the last 40 %, which is reported"},
		} {
			if rows := swept(r, load, part.part); len(rows) > 1 {
				p.Fronts = append(p.Fronts, frontChart(load+": "+part.title, rows, r.Chosen))
			}
		}
		var pictures []suite.Picture
		for _, picture := range r.Pictures {
			if picture.Load == load && len(picture.Minutes) > 0 {
				pictures = append(pictures, picture)
			}
		}
		if len(pictures) > 0 {
			p.Days = append(p.Days, dayChart(load, pictures))
		}
		t := loadTable{Load: load}
		for _, row := range r.Chosen {
			if row.Load == load {
				t.Rows = append(t.Rows, row)
			}
		}
		p.Loads = append(p.Loads, t)
	}
	p.Faults = faultTable(r.Faults)
	return p
}

// loads lists the loads in the order in which they were run.
func loads(r suite.Report) []string {
	var out []string
	for _, row := range r.Rows {
		if !slices.Contains(out, row.Load) {
			out = append(out, row.Load)
		}
	}
	return out
}

// swept is the first seed's rows of one part, ordered by target within a policy.
func swept(r suite.Report, load, part string) []suite.Row {
	var out []suite.Row
	for _, row := range r.Rows {
		if row.Load == load && row.Part == part && row.Seed == r.Seed {
			out = append(out, row)
		}
	}
	slices.SortStableFunc(out, func(a, b suite.Row) int {
		switch {
		case a.Target < b.Target:
			return -1
		case a.Target > b.Target:
			return 1
		}
		return 0
	})
	return out
}

// faultTable sums the seeds of each fault and policy.
func faultTable(all []suite.Fault) []faultRow {
	var out []faultRow
	for _, f := range all {
		i := slices.IndexFunc(out, func(r faultRow) bool { return r.Fault == f.Fault })
		if i < 0 {
			out = append(out, faultRow{Fault: f.Fault})
			i = len(out) - 1
		}
		k := slices.IndexFunc(out[i].Cells, func(c suite.Fault) bool { return c.Policy == f.Policy })
		if k < 0 {
			out[i].Cells = append(out[i].Cells, f)
			continue
		}
		c := &out[i].Cells[k]
		c.HarmfulRemovals += f.HarmfulRemovals
		c.ViolationMinutes += f.ViolationMinutes
		c.ReplicaHours += f.ReplicaHours
		c.Deficits += f.Deficits
	}
	return out
}
