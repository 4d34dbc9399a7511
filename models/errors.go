package models

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind classifies an error once, so that HTTP and Temporal each map it in one place.
// The zero value is KindInternal: an unclassified error is nobody's input.
type Kind string

// The kinds of error.
const (
	KindInternal     Kind = ""
	KindInvalid      Kind = "invalid"      // the caller's input breaks a rule; never retried
	KindNotFound     Kind = "not_found"    // the named thing does not exist
	KindConflict     Kind = "conflict"     // the thing moved or exists already
	KindUnauthorised Kind = "unauthorised" // no or bad credentials
	KindForbidden    Kind = "forbidden"    // known caller, permission missing
	KindTooLarge     Kind = "too_large"    // a bound on size or count was passed
	KindRateLimited  Kind = "rate_limited" // the caller's own quota is used up
	KindUnavailable  Kind = "unavailable"  // a dependency is down; retry later
	KindExpired      Kind = "expired"      // a decision or token outlived its time
)

// Error is an error with its kind and, for bad input, the field at fault, the value
// that was given and the rule it breaks.
type Error struct {
	Kind  Kind
	Op    string // the operation, e.g. "store.CreateWedding"
	Field string // JSON path of the field, e.g. "samples[3].value"
	Value string // the offending value as text, bounded; never a secret
	Rule  string // what is allowed
	Err   error  // cause, may be nil

	// Presented is what a refused credential said of itself; for the audit trail alone, and
	// in no message. Nothing is ever allowed by it.
	Presented *Presented
}

// Error renders "op: field "value": rule: cause" with the parts that are present.
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	if e.Field != "" {
		if e.Value != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", e.Field, e.Value))
		} else {
			parts = append(parts, e.Field)
		}
	}
	if e.Rule != "" {
		parts = append(parts, e.Rule)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if len(parts) == 0 {
		return string(e.Kind)
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Invalid is bad input in one field: value is what was given, rule what is allowed.
func Invalid(field string, value any, rule string) *Error {
	return &Error{Kind: KindInvalid, Field: field, Value: bounded(value), Rule: rule}
}

// NotFound says that the thing named by field and value does not exist.
func NotFound(field string, value any) *Error {
	return &Error{Kind: KindNotFound, Field: field, Value: bounded(value), Rule: "does not exist"}
}

// Unavailable wraps the failure of a dependency; the caller may retry.
func Unavailable(op string, err error) *Error {
	return &Error{Kind: KindUnavailable, Op: op, Err: err}
}

// KindOf finds the kind in an error chain; KindInternal where there is none. Of
// joined errors the first classified one counts, and an Error without a kind, which
// only names its operation, does not hide the kind of its cause.
func KindOf(err error) Kind {
	switch e := err.(type) { //nolint:errorlint // the walk of the chain itself, branch by branch
	case *Error:
		if e.Kind != KindInternal {
			return e.Kind
		}
		return KindOf(e.Err)
	case interface{ Unwrap() []error }:
		for _, branch := range e.Unwrap() {
			if kind := KindOf(branch); kind != KindInternal {
				return kind
			}
		}
	case interface{ Unwrap() error }:
		return KindOf(e.Unwrap())
	}
	return KindInternal
}

// boundedValueBytes keeps hostile input from filling logs and answers.
const boundedValueBytes = 120

func bounded(value any) string {
	s := fmt.Sprint(value)
	if len(s) > boundedValueBytes {
		return strings.ToValidUTF8(s[:boundedValueBytes], "") + "…"
	}
	return s
}

// text checks what a person or a system wrote: counted in characters, not blank where it
// must not be empty, and without control characters but tabs and line ends, which
// storage refuses or terminals obey.
func text(field, s string, least, most int) error {
	n := utf8.RuneCountInString(s)
	if n > most || utf8.RuneCountInString(strings.TrimSpace(s)) < least {
		rule := fmt.Sprintf("must have %d to %d characters", least, most)
		if least == 0 {
			rule = fmt.Sprintf("must have at most %d characters", most)
		}
		return Invalid(field, s, rule)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }) {
		return Invalid(field, s, "must be text without control characters")
	}
	return nil
}
