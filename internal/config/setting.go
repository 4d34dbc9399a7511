package config

import (
	"fmt"
	"log/slog"
)

// Source says where a value comes from.
type Source string

// The sources.
const (
	SourceDefault     Source = "default"
	SourceEnvironment Source = "environment"
)

// Setting is one variable with its value in effect, fit to be shown.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"` // masked where it is or holds a secret
	Default string `json:"default"`
	Source  Source `json:"source"`
	Allowed string `json:"allowed"`
	Help    string `json:"help"`
	Group   string `json:"group"`
}

// Problem is a variable that stops the start.
type Problem struct {
	Variable string // name, or several names joined by ", "
	Value    string // as given, masked; empty where nothing was given or nothing may be shown
	Allowed  string // what is wanted
	Missing  bool   // nothing was given
}

// Error names the variable, what was given and what is allowed.
func (p Problem) Error() string {
	switch {
	case p.Missing:
		return fmt.Sprintf("%s is not set: want %s", p.Variable, p.Allowed)
	case p.Value == "":
		return fmt.Sprintf("%s: want %s", p.Variable, p.Allowed)
	default:
		return fmt.Sprintf("%s=%q: want %s", p.Variable, p.Value, p.Allowed)
	}
}

// Warning is a variable that is accepted but probably not meant as it stands.
type Warning struct {
	Variable string `json:"variable"`
	Message  string `json:"message"`
}

// String is the warning as a sentence.
func (w Warning) String() string { return w.Variable + ": " + w.Message }

// Secret is a value that shows itself only through Reveal.
type Secret string

// Reveal gives the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// IsSet says whether there is a secret at all.
func (s Secret) IsSet() bool { return s != "" }

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString masks the secret under %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// LogValue masks the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks the secret in JSON and other text forms.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

const mask = "***"
