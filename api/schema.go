package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wedsync/scalability/models"
)

// rule is a compiled schema: the part of OpenAPI that our inputs use.
type rule struct {
	name      string // of the component, "" for none
	kind      string // string, number, integer, boolean, object, array
	nullable  bool
	enum      []string
	min, max  *float64
	minLength int
	maxLength int // 0 = none
	pattern   *regexp.Regexp
	date      bool // RFC 3339
	items     *rule
	minItems  int
	maxItems  int // 0 = none
	fields    map[string]*rule
	required  []string
	closed    bool  // no other fields
	others    *rule // of other fields
}

// breaches collects what is wrong, bounded: the first faults are enough to go on.
type breaches []*models.Error

const maxBreaches = 10

func (b *breaches) add(path string, value any, text string) {
	if len(*b) < maxBreaches {
		*b = append(*b, models.Invalid(orBody(path), value, text))
	}
}

func (b breaches) err() error {
	errs := make([]error, len(b))
	for i, e := range b {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// fromText reads a parameter as the kind that the rule wants; what is none stays text,
// so that check names it.
func (r *rule) fromText(s string) any {
	switch r.kind {
	case "integer", "number":
		if n := numberEnd([]byte(s)); n > 0 && n == len(s) && n <= maxNumberBytes {
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return number{text: s, value: f}
			}
		}
	case "boolean":
		if s == "true" || s == "false" {
			return s == "true"
		}
	}
	return s
}

// check adds what is wrong with a value.
func (r *rule) check(v any, path string, b *breaches) {
	if v == nil && r.nullable {
		return
	}
	switch v := v.(type) {
	case string:
		if r.want("string", v, path, b) {
			r.checkText(v, path, b)
		}
	case number:
		r.checkNumber(v, path, b)
	case bool:
		r.want("boolean", v, path, b)
	case list:
		if r.want("array", "a list", path, b) {
			r.checkList(v, path, b)
		}
	case object:
		if r.want("object", "an object", path, b) {
			r.checkObject(v, path, b)
		}
	default:
		b.add(path, "null", "must be "+r.noun())
	}
}

// want says whether the value is of the rule's kind, and names it when it is not.
func (r *rule) want(kind string, given any, path string, b *breaches) bool {
	if r.kind == kind {
		return true
	}
	b.add(path, given, "must be "+r.noun())
	return false
}

func (r *rule) noun() string {
	switch {
	case len(r.enum) > 0:
		return r.oneOf()
	case r.date:
		return dateNoun
	}
	return map[string]string{
		"string": "a string", "number": "a number", "integer": "a whole number" + r.span(), "boolean": "true or false",
		"array": "a list", "object": "an object",
	}[r.kind]
}

const dateNoun = "a time as RFC 3339 with an offset, as in 2027-06-12T14:00:00+01:00"

func (r *rule) oneOf() string {
	words := slices.Clone(r.enum)
	for i, w := range words {
		if w == "" {
			words[i] = `""`
		}
	}
	return "one of " + strings.Join(words, ", ")
}

func (r *rule) checkText(v, path string, b *breaches) {
	n := utf8.RuneCountInString(v)
	switch {
	case len(r.enum) > 0 && !slices.Contains(r.enum, v):
		b.add(path, v, "must be "+r.oneOf())
	case n < r.minLength || r.maxLength > 0 && n > r.maxLength:
		b.add(path, v, fmt.Sprintf("must have %d to %d characters", r.minLength, r.maxLength))
	case r.pattern != nil && !r.pattern.MatchString(v):
		b.add(path, v, "must match "+r.pattern.String())
	case r.date:
		if _, err := parseTime(v); err != nil {
			b.add(path, v, "must be "+dateNoun)
		}
	case strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\n' && c != '\r' && c != '\t' }):
		b.add(path, "", "must not contain control characters")
	}
}

// parseTime is as strict as the decoding of a time.Time from JSON.
func parseTime(s string) (t time.Time, err error) {
	err = t.UnmarshalText([]byte(s))
	return t, err
}

func (r *rule) checkNumber(v number, path string, b *breaches) {
	switch {
	case r.kind != "number" && r.kind != "integer":
		b.add(path, v.text, "must be "+r.noun())
	case r.kind == "integer" && strings.ContainsAny(v.text, ".eE"):
		b.add(path, v.text, "must be a whole number"+r.span())
	case r.min != nil && v.value < *r.min || r.max != nil && v.value > *r.max:
		b.add(path, v.text, "must be"+r.span())
	}
}

// span says the bounds of a number, with a blank before it.
func (r *rule) span() string {
	switch {
	case r.min != nil && r.max != nil:
		return " from " + plain(*r.min) + " to " + plain(*r.max)
	case r.min != nil:
		return " of at least " + plain(*r.min)
	case r.max != nil:
		return " of at most " + plain(*r.max)
	default:
		return ""
	}
}

// plain writes a bound without an exponent where it is short.
func plain(f float64) string {
	if f < 1e9 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func (r *rule) checkList(v list, path string, b *breaches) {
	if len(v) < r.minItems || r.maxItems > 0 && len(v) > r.maxItems {
		b.add(path, len(v), fmt.Sprintf("must have %d to %d entries", r.minItems, r.maxItems))
		return
	}
	for i, e := range v {
		if r.items != nil {
			r.items.check(e, path+"["+strconv.Itoa(i)+"]", b)
		}
	}
}

func (r *rule) checkObject(v object, path string, b *breaches) {
	for _, name := range r.required {
		if _, has := v[name]; !has {
			b.add(join(path, name), "", "is required")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		f, known := r.fields[name]
		switch {
		case known:
			f.check(v[name], join(path, name), b)
		case r.closed:
			b.add(join(path, name), "", "is not a known field: must be one of "+strings.Join(slices.Sorted(maps.Keys(r.fields)), ", "))
		case r.others != nil:
			r.others.check(v[name], join(path, name), b)
		}
	}
}

// paged cuts a list that was read with one entry more than the limit, and gives the
// cursor of the next page where there is one.
func paged[T any](items []T, limit int, at func(T) models.Cursor) ([]T, *string) {
	if items == nil {
		items = []T{}
	}
	if len(items) <= limit {
		return items, nil
	}
	next := formatCursor(at(items[limit-1]))
	return items[:limit], &next
}

// cursorID is what an ID in a cursor may look like; that of a command's outcome in the trail has a
// slash.
var cursorID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._:/-]{0,63}$`)

// formatCursor packs a position; to callers it is opaque.
func formatCursor(c models.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.At.UTC().Format(time.RFC3339Nano) + "|" + c.ID))
}

// parseCursor accepts only what formatCursor makes.
func parseCursor(text *string) (*models.Cursor, error) {
	if text == nil {
		return nil, nil //nolint:nilnil // no cursor is the first page
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*text)
	at, id, ok := strings.Cut(string(raw), "|")
	if err == nil && ok && cursorID.MatchString(id) {
		if t, err := parseTime(at); err == nil {
			if cur := (models.Cursor{At: t.UTC(), ID: id}); formatCursor(cur) == *text {
				return &cur, nil
			}
		}
	}
	return nil, models.Invalid("cursor", *text, "must be the nextCursor of a page")
}
