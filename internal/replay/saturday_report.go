package replay

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

//go:embed saturday.html.tmpl
var saturdayPage string

// SaturdayResult is what a Saturday came to.
type SaturdayResult struct {
	Date     string            `json:"date"`
	Speed    float64           `json:"speed"`
	Weddings []SaturdayWedding `json:"weddings"`
	Samples  []SaturdaySample  `json:"-"`
	Day      models.WeddingDay `json:"day"`
}

// SideResult is one of the two services over the day.
type SideResult struct {
	Name             string  `json:"name"`
	ViolationMinutes int     `json:"violationMinutes"` // of the day, above a strict threshold
	PeakReplicas     int     `json:"peakReplicas"`
	ReplicaHours     float64 `json:"replicaHours"` // of the day
	WorstP95MS       float64 `json:"worstP95Ms"`
	LastReplicas     int     `json:"lastReplicas"`
}

// SaturdaySummary is what the two came to.
type SaturdaySummary struct {
	Sides [2]SideResult `json:"sides"`
	// FloorStood is when the first floor stood, and FirstGuests when the first guests look up
	// the way, both after eleven.
	FloorStood  time.Duration `json:"floorStood"`
	FirstGuests time.Duration `json:"firstGuests"`
	Calm        int           `json:"calmReplicas"` // before the first floor
}

// Summary counts each second as what it stands for.
func (r SaturdayResult) Summary() SaturdaySummary {
	s := SaturdaySummary{FloorStood: -1}
	s.Sides[0].Name, s.Sides[1].Name = "with the calendar", "without"
	minutes := r.Speed / 60
	for i := range s.Sides {
		violated, hours := 0.0, 0.0
		for _, x := range r.Samples {
			side := x.Sides[i]
			if side.Violates() {
				violated += minutes
			}
			hours += float64(side.Spec) * minutes / 60
			s.Sides[i].PeakReplicas = max(s.Sides[i].PeakReplicas, side.Spec)
			if side.P95MS != nil {
				s.Sides[i].WorstP95MS = math.Max(s.Sides[i].WorstP95MS, *side.P95MS)
			}
			s.Sides[i].LastReplicas = side.Spec
		}
		s.Sides[i].ViolationMinutes, s.Sides[i].ReplicaHours = int(math.Round(violated)), hours
	}
	if len(r.Samples) > 0 {
		s.Calm = r.Samples[0].Sides[0].Spec
	}
	for _, x := range r.Samples {
		if x.Floor > 0 && x.Sides[0].Ready >= x.Floor {
			s.FloorStood = x.At
			break
		}
	}
	if len(r.Weddings) > 0 {
		s.FirstGuests = r.Weddings[0].At - 2*time.Hour
	}
	return s
}

// Print writes the summary for a terminal.
func (r SaturdayResult) Print(w io.Writer) {
	s := r.Summary()
	fmt.Fprintf(w, "\nA wedding Saturday at %.0f times its speed: %d weddings, %d guests\n\n", r.Speed, len(r.Weddings), r.guests())
	fmt.Fprintf(w, "%-20s %18s %14s %14s %12s %10s\n", "", "violation minutes", "peak replicas", "replica hours", "worst p95", "at the end")
	for _, x := range s.Sides {
		fmt.Fprintf(w, "%-20s %18d %14d %14.1f %9.0f ms %10d\n", x.Name, x.ViolationMinutes, x.PeakReplicas, x.ReplicaHours, x.WorstP95MS, x.LastReplicas)
	}
	if s.FloorStood >= 0 {
		fmt.Fprintf(w, "\nThe first floor stood at %s; the first guests look up the way at %s.\n", clockOf(s.FloorStood), clockOf(s.FirstGuests))
	}
	if rep := r.Day.Report; rep != nil {
		fmt.Fprintf(w, "The day's own report: %s\n", rep.Text)
	}
	fmt.Fprintln(w, "\n"+saturdayHonesty)
}

// saturdayHonesty is what a reader has to know of the speed.
const saturdayHonesty = "Everything runs at this speed but what watches the stream: a spike is seen within two seconds of the clock,\n" +
	"which are minutes of this day. At its own speed the service without the calendar would do better than here."

func (r SaturdayResult) guests() (n int) {
	for _, w := range r.Weddings {
		n += w.Guests
	}
	return n
}

// HTML writes a page that stands alone.
func (r SaturdayResult) HTML(w io.Writer) error {
	page, err := template.New("saturday").Parse(saturdayPage)
	if err != nil {
		return err
	}
	s := r.Summary()
	return page.Execute(w, map[string]any{
		"Speed": r.Speed, "Weddings": len(r.Weddings), "Guests": r.guests(), "Sides": s.Sides, "Day": r.Day, "Honesty": saturdayHonesty,
		"Stood": clockOf(max(s.FloorStood, 0)), "First": clockOf(s.FirstGuests), "Hours": r.hours(),
		"Load": r.line(func(x SaturdaySample) float64 { return x.Load }, r.most(func(x SaturdaySample) float64 { return x.Load })),
		"Lines": []struct{ Name, Colour, Points string }{
			{"floor", "#b45309", r.replicas(func(x SaturdaySample) int { return x.Floor })},
			{"ready with the calendar", "#1d4ed8", r.replicas(func(x SaturdaySample) int { return x.Sides[0].Ready })},
			{"ready without", "#b91c1c", r.replicas(func(x SaturdaySample) int { return x.Sides[1].Ready })},
		},
		"Violations": [2][]float64{r.violations(0), r.violations(1)}, "MostReplicas": r.mostReplicas(),
	})
}

// The canvas of the picture, in its own units.
const (
	saturdayWide = 960.0
	saturdayHigh = 320.0
)

func (r SaturdayResult) x(at time.Duration) float64 {
	return saturdayWide * at.Hours() / saturdayLength.Hours()
}

func (r SaturdayResult) most(of func(SaturdaySample) float64) float64 {
	most := 1.0
	for _, s := range r.Samples {
		most = math.Max(most, of(s))
	}
	return most
}

func (r SaturdayResult) mostReplicas() float64 {
	return r.most(func(x SaturdaySample) float64 { return float64(max(x.Floor, x.Sides[0].Ready, x.Sides[1].Ready)) })
}

func (r SaturdayResult) replicas(of func(SaturdaySample) int) string {
	return r.line(func(x SaturdaySample) float64 { return float64(of(x)) }, r.mostReplicas())
}

func (r SaturdayResult) line(of func(SaturdaySample) float64, most float64) string {
	var b strings.Builder
	for _, s := range r.Samples {
		fmt.Fprintf(&b, "%.1f,%.1f ", r.x(s.At), saturdayHigh*(1-of(s)/most))
	}
	return strings.TrimSpace(b.String())
}

func (r SaturdayResult) violations(side int) []float64 {
	var at []float64
	for _, s := range r.Samples {
		if s.Sides[side].Violates() {
			at = append(at, r.x(s.At))
		}
	}
	return at
}

// saturdayHour is a mark on the axis of time.
type saturdayHour struct {
	X    float64
	Text string
}

func (r SaturdayResult) hours() (out []saturdayHour) {
	for at := time.Duration(0); at < saturdayLength; at += time.Hour {
		out = append(out, saturdayHour{r.x(at), clockOf(at)})
	}
	return out
}
