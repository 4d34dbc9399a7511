package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/wedsync/scalability/internal/forecast/minute"
	"github.com/wedsync/scalability/internal/simulate/suite"
)

// The files of a report.
const (
	JSONFile = "report.json"
	CSVFile  = "runs.csv"
	PageFile = "report.html"
	// EqualFile has the policies at equal terms.
	EqualFile = "equal.csv"
)

// Write writes the four files into a folder, which it makes.
func Write(dir string, r suite.Report) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for name, render := range map[string]func(io.Writer, suite.Report) error{JSONFile: JSON, CSVFile: CSV, EqualFile: EqualCSV, PageFile: Page} {
		var b bytes.Buffer
		if err := render(&b, r); err != nil {
			return fmt.Errorf("report %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// JSON writes everything, indented.
func JSON(w io.Writer, r suite.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// CSV writes one line per run: the sweeps of both parts, then the reported runs at the
// targets that were chosen.
func CSV(w io.Writer, r suite.Report) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{
		"load", "part", "seed", "policy", "target", "days", "violation_minutes", "replica_hours", "flips_per_day",
		"p999_wait_s", "max_overprovision", "orders", "evaluations", "offered", "failed", "late", "deficits", "forecast_wape", "forecast_coverage95", "forecast_bias",
	})
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, row := range r.Rows {
		_ = out.Write(append([]string{
			row.Load, row.Part, strconv.FormatUint(row.Seed, 10), row.Policy, number(row.Target), number(row.Days),
			number(row.ViolationMinutes), strconv.FormatFloat(row.ReplicaHours, 'f', 2, 64), strconv.FormatFloat(row.FlipsPerDay, 'f', 2, 64),
			number(row.P999WaitSeconds), strconv.FormatFloat(row.MaxOverprovision, 'f', 3, 64), strconv.Itoa(row.Orders),
			strconv.Itoa(row.Evaluations), strconv.FormatFloat(row.Offered, 'f', 0, 64), strconv.FormatFloat(row.Failed, 'f', 0, 64),
			strconv.FormatFloat(row.Late, 'f', 0, 64), strconv.Itoa(row.Deficits),
		}, forecast(row.Forecast)...))
	}
	out.Flush() // an error of any line is kept until here
	return out.Error()
}

// forecast has empty fields for a policy that makes no forecasts.
func forecast(f *minute.Foresight) []string {
	if f == nil {
		return []string{"", "", ""}
	}
	return []string{four(f.WAPE), four(f.Coverage95), four(f.Bias)}
}

func four(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// EqualCSV writes one line per load and policy: what it costs at one violation minute a
// day, and how it fails at the cost of HPA.
func EqualCSV(w io.Writer, r suite.Report) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"load", "policy", "seeds", "replica_hours_per_day_at_one_violation_a_day", "reached", "violation_minutes_per_day_at_hpa_cost", "reached"})
	for _, s := range r.Scalars {
		_ = out.Write([]string{
			s.Load, s.Policy, strconv.Itoa(s.Seeds), four(s.CostPerDay), strconv.FormatBool(s.CostReached), four(s.ViolationsPerDay), strconv.FormatBool(s.ViolationsReached),
		})
	}
	out.Flush()
	return out.Error()
}
