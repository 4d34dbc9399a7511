package calendar

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/wedsync/scalability/models"
)

// jsonl reads an object a line; empty lines are read past.
func (r *Reading) jsonl(data []byte, d Defaults) {
	line := 0
	for len(data) > 0 {
		var one []byte
		one, data, _ = bytes.Cut(data, []byte("\n"))
		line++
		one = bytes.TrimSpace(one)
		if len(one) == 0 {
			continue
		}
		if len(r.Rows)+len(r.Faults) > maxRows {
			return // refused by the caller
		}
		fields, err := objectOf(one)
		if err != nil {
			r.faulty(line, fields[fieldReference], err)
			continue
		}
		r.take(record{line: line, fields: fields}, d)
	}
}

// objectOf reads one flat object of text and numbers; contact may be an object in it.
func objectOf(line []byte) (map[string]string, *models.Error) {
	fields := map[string]string{}
	if len(line) > maxLine {
		return fields, models.Invalid("line", len(line), "must be at most 65536 bytes")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return fields, models.Invalid("line", "", "must be one JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fields, models.Invalid("line", "", "must end after one JSON object")
	}
	if c, ok := object["contact"].(map[string]any); ok {
		delete(object, "contact")
		for name, v := range c {
			object["contact"+name] = v
		}
	}
	var fault *models.Error
	for heading, value := range object {
		if err := put(fields, heading, value); err != nil && (fault == nil || err.Field < fault.Field) {
			fault = err
		}
	}
	return fields, fault
}

func put(fields map[string]string, heading string, value any) *models.Error {
	name, known := knownField(heading)
	if !known {
		return unknownField(heading)
	}
	if _, twice := fields[name]; twice {
		return models.Invalid(name, "", "must stand once")
	}
	switch v := value.(type) {
	case nil:
	case string:
		fields[name] = strings.TrimSpace(v)
	case json.Number:
		fields[name] = v.String()
	default:
		return models.Invalid(name, "", "must be text or a number")
	}
	return nil
}
