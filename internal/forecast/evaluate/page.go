package evaluate

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

// Files that WriteTo makes.
const (
	PageFile = "forecast.html"
	JSONFile = "forecast.json"
)

//go:embed page.html.tmpl
var pageTemplate string

// page is what the template shows.
type page struct {
	Report
	Goals    []goalRow
	Missed   int
	Loads    []loadTable
	Mixes    []MixResult
	Pictures []chart
	Took     string
}

type goalRow struct {
	Goal
	Value          float64
	Bound, Verdict string
}

type loadTable struct {
	Judged
	Lines []Line
}

func (r Report) page() page {
	p := page{Report: r, Mixes: r.Mixed(), Pictures: r.pictures(), Took: took(r.Took)}
	for _, g := range r.Goals() {
		p.Goals = append(p.Goals, goalRow{g, float64(g.Is), g.bound(), g.verdict()})
		if !g.Met() {
			p.Missed++
		}
	}
	for _, j := range []*Judged{r.VicElec, r.I94, r.WorldCup} {
		if j != nil {
			p.Loads = append(p.Loads, loadTable{*j, j.Lines()})
		}
	}
	return p
}

// WriteTo writes the page with its pictures, and the headline's figures, into a folder.
func (r Report) WriteTo(dir string) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"f1":      func(v float64) string { return digits(v, 1) },
		"f2":      func(v float64) string { return digits(v, 2) },
		"f3":      func(v float64) string { return digits(v, 3) },
		"f4":      func(v float64) string { return digits(v, 4) },
		"percent": func(v float64) string { return digits(100*v, 1) },
		"minus":   func(a, b float64) float64 { return a - b },
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("evaluate.WriteTo: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("evaluate.WriteTo: %w", err)
	}
	figures, err := json.MarshalIndent(r.Headline(), "", "  ")
	if err != nil {
		return fmt.Errorf("evaluate.WriteTo: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, JSONFile), append(figures, '\n'), 0o600); err != nil {
		return fmt.Errorf("evaluate.WriteTo: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, PageFile)) //nolint:gosec // the user names the folder
	if err != nil {
		return fmt.Errorf("evaluate.WriteTo: %w", err)
	}
	if err := errors.Join(t.Execute(f, r.page()), f.Close()); err != nil {
		return fmt.Errorf("evaluate.WriteTo: %w", err)
	}
	return nil
}
