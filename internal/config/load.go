package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// ForProcess loads the environment of this process and checks what process p needs.
// The error joins every Problem of both.
func ForProcess(p Process) (Config, error) {
	cfg, err := Load(os.Environ())
	return cfg, errors.Join(err, cfg.ValidateFor(p))
}

// Load reads "NAME=value" pairs; of a repeated name the last counts, as in a shell.
// Unset and empty both mean the default. The error joins one Problem per variable at
// fault; the Config beside it has defaults in their place and is good only for
// ValidateFor, which adds what else is wrong.
func Load(environ []string) (Config, error) {
	given := parse(environ)
	cfg := Config{refused: map[string]bool{}}
	fields := make(map[string]string) // what the typed fields read, in their form
	var problems []error
	for _, v := range variables() {
		setting, normal, problem := v.read(given[v.name])
		if problem != nil {
			problems = append(problems, *problem)
			cfg.refused[v.name] = true
		}
		cfg.settings = append(cfg.settings, setting)
		fields[v.name] = normal
	}
	if err := env.ParseWithOptions(&cfg, env.Options{Environment: fields}); err != nil {
		problems = append(problems, fmt.Errorf("config: a checked value does not fit its field: %w", err))
	}
	problems = append(problems, cfg.contradictions()...)
	cfg.warnings = slices.Concat(unknown(given), cfg.exposures(), cfg.twoProviders())
	return cfg, errors.Join(problems...)
}

// parse makes a map of "NAME=value" pairs; what has no "=" is no variable.
func parse(environ []string) map[string]string {
	given := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			given[name] = strings.TrimSpace(value)
		}
	}
	return given
}

// read judges one given value. normal is the text for the typed field; the default's
// where nothing was given or the given is refused.
func (v variable) read(raw string) (s Setting, normal string, problem *Problem) {
	s = Setting{Name: v.name, Value: v.fallback, Default: v.fallback, Source: SourceDefault,
		Allowed: v.rule.allowed, Help: v.help, Group: v.group}
	if raw != "" {
		if n, ok := v.rule.check(raw); ok {
			s.Value, s.Source = v.shown(raw), SourceEnvironment
			return s, n, nil
		}
		problem = &Problem{Variable: v.name, Value: v.blamed(raw), Allowed: v.rule.allowed}
	}
	if v.fallback != "" {
		normal, _ = v.rule.check(v.fallback)
	}
	return s, normal, problem
}

// contradictions are problems of two variables together; a variable that is refused
// already is not blamed twice.
func (c Config) contradictions() []error {
	var out []error
	pair := func(low, high string, l, h float64) {
		if l >= h && !c.refused[low] && !c.refused[high] {
			out = append(out, Problem{Variable: low, Value: fmt.Sprintf("%g", l),
				Allowed: fmt.Sprintf("a number below %s, which is %g", high, h)})
		}
	}
	pair("SCALABILITY_CPU_THRESHOLD_WARNING", "SCALABILITY_CPU_THRESHOLD_CRITICAL",
		c.Thresholds.CPUWarning, c.Thresholds.CPUCritical)
	pair("SCALABILITY_MEMORY_THRESHOLD_WARNING", "SCALABILITY_MEMORY_THRESHOLD_CRITICAL",
		c.Thresholds.MemoryWarning, c.Thresholds.MemoryCritical)
	return out
}

// Problems takes an error of this package apart, wrapped and joined ones too.
func Problems(err error) []Problem {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case Problem:
		return []Problem{e}
	case interface{ Unwrap() error }:
		return Problems(e.Unwrap())
	case interface{ Unwrap() []error }:
		var out []Problem
		for _, inner := range e.Unwrap() {
			out = append(out, Problems(inner)...)
		}
		return out
	default:
		return nil
	}
}

// names is every known variable's name.
func names() map[string]bool {
	known := make(map[string]bool)
	for _, v := range variables() {
		known[v.name] = true
	}
	return known
}

// sortedKeys gives a map's keys in order, so that messages are stable.
func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
