package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wedsync/scalability/models"
)

// Bounds on a document.
const (
	maxDepth       = 16
	maxNumberBytes = 100
	maxKeyInPath   = 60
)

// number is a JSON number as it was written and as it is understood.
type number struct {
	text  string
	value float64
}

// object and list are the other values of a document; the rest are string, bool and nil.
type (
	object map[string]any
	list   []any
)

// parse reads one JSON document (RFC 8259) and nothing after it. It is stricter than
// encoding/json and names the place of a fault: a field twice in an object, text that is
// not UTF-8, a control character and a number that is not finite are refused.
func parse(data []byte) (any, error) {
	s := &scanner{data: data}
	v, err := s.value("")
	if err != nil {
		return nil, err
	}
	return v, s.end()
}

// scanner walks over a document. Its errors name the path that the caller gives.
type scanner struct {
	data  []byte
	at    int
	depth int
}

// end refuses anything after the document.
func (s *scanner) end() error {
	if s.space(); s.at < len(s.data) {
		return models.Invalid("body", s.snippet(), "must end after one JSON document")
	}
	return nil
}

func (s *scanner) value(path string) (any, error) {
	switch c := s.peek(); {
	case c == '{':
		return s.anyObject(path)
	case c == '[':
		return s.anyList(path)
	case c == '"':
		return s.text(path)
	case c == '-' || c >= '0' && c <= '9':
		return s.number(path)
	default:
		return s.literal(path)
	}
}

func (s *scanner) anyObject(path string) (any, error) {
	out := object{}
	err := s.object(path, func(key string) error {
		at := join(path, key)
		if _, twice := out[key]; twice {
			return models.Invalid(at, s.snippet(), "must stand once")
		}
		v, err := s.value(at)
		out[key] = v
		return err
	})
	return out, err
}

func (s *scanner) anyList(path string) (any, error) {
	out := list{}
	err := s.list(path, func(i int) error {
		v, err := s.value(path + "[" + strconv.Itoa(i) + "]")
		out = append(out, v)
		return err
	})
	return out, err
}

// object calls visit for each field, with the scanner before its value.
func (s *scanner) object(path string, visit func(key string) error) error {
	if s.peek() != '{' {
		return models.Invalid(orBody(path), s.snippet(), "must be an object")
	}
	return s.nested(path, '}', func(int) error {
		if s.peek() != '"' {
			return models.Invalid(orBody(path), s.snippet(), "is not JSON: the name of a field must stand here")
		}
		key, err := s.text(path)
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return models.Invalid(join(path, key), s.snippet(), "is not JSON: a colon must stand here")
		}
		s.at++
		return visit(key)
	})
}

// list calls visit for each entry, with the scanner before it.
func (s *scanner) list(path string, visit func(i int) error) error {
	if s.peek() != '[' {
		return models.Invalid(orBody(path), s.snippet(), "must be a list")
	}
	return s.nested(path, ']', visit)
}

// nested reads what stands between brackets, separated by commas.
func (s *scanner) nested(path string, closing byte, entry func(i int) error) error {
	if s.depth++; s.depth > maxDepth {
		return models.Invalid(orBody(path), "", "must be nested at most "+strconv.Itoa(maxDepth)+" deep")
	}
	defer func() { s.depth-- }()
	s.at++ // the opening bracket
	if s.peek() == closing {
		s.at++
		return nil
	}
	for i := 0; ; i++ {
		if err := entry(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.at++
		case closing:
			s.at++
			return nil
		default:
			return models.Invalid(orBody(path), s.snippet(), "is not JSON: a comma or "+string(closing)+" must stand here")
		}
	}
}

// text reads a string. The field that it names or fills is the caller's to say.
func (s *scanner) text(path string) (string, error) {
	if s.peek() != '"' {
		return "", models.Invalid(orBody(path), s.snippet(), "must be a string")
	}
	begin := s.at
	plain := true
	for s.at++; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '\\':
			plain = false
			s.at++
		case c == '"':
			s.at++
			return decodeText(path, s.data[begin:s.at], plain)
		case c < ' ':
			return "", models.Invalid(orBody(path), "", "must not contain a bare control character")
		}
	}
	s.at = len(s.data)
	return "", models.Invalid(orBody(path), "", "is not JSON: a string does not end")
}

// decodeText takes the quotes off. Control characters but line breaks and tabs are
// refused also as escapes: Postgres takes no NUL, and logs are read on terminals.
func decodeText(path string, quoted []byte, plain bool) (string, error) {
	if !utf8.Valid(quoted) {
		return "", models.Invalid(orBody(path), "", "must be UTF-8")
	}
	if plain {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var out string
	if err := json.Unmarshal(quoted, &out); err != nil {
		return "", models.Invalid(orBody(path), "", "is not JSON: a string has an escape that is not known")
	}
	if strings.ContainsFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return "", models.Invalid(orBody(path), "", "must not contain control characters")
	}
	return out, nil
}

// number reads a number by the grammar of RFC 8259.
func (s *scanner) number(path string) (number, error) {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return number{}, models.Invalid(orBody(path), s.snippet(), "must be a number; NaN and Infinity are none")
	}
	begin := s.at
	end := numberEnd(s.data[begin:])
	if end == 0 || end > maxNumberBytes {
		return number{}, models.Invalid(orBody(path), s.snippet(), "must be a JSON number; NaN and Infinity are none")
	}
	s.at += end
	n := number{text: string(s.data[begin:s.at])}
	v, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		return number{}, models.Invalid(orBody(path), n.text, "must be a finite number, at most about 1.8e308")
	}
	n.value = v
	return n, nil
}

// numberEnd is the length of the number that b begins with: -?int frac? exp?, 0 for none.
func numberEnd(b []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// literal reads true, false or null.
func (s *scanner) literal(path string) (any, error) {
	for _, l := range []struct {
		word  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if bytes.HasPrefix(s.data[s.at:], []byte(l.word)) {
			s.at += len(l.word)
			return l.value, nil
		}
	}
	return nil, models.Invalid(orBody(path), s.snippet(), "is not JSON: a value must stand here; NaN and Infinity are none")
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte that counts; 0 at the end.
func (s *scanner) peek() byte {
	if s.space(); s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// snippet is what stands at the scanner, up to the end of the value.
func (s *scanner) snippet() string {
	rest := s.data[min(s.at, len(s.data)):]
	rest = rest[:min(len(rest), 80)]
	if i := bytes.IndexAny(rest, ",}]\n\r"); i > 0 {
		rest = rest[:i]
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(rest)), "")
}

// join makes the path of a field.
func join(path, key string) string {
	key = cut(key, maxKeyInPath)
	if path == "" {
		return key
	}
	return path + "." + key
}

// orBody names the document itself where there is no path.
func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}
