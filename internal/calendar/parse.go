package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/wedsync/scalability/models"
)

// Bounds of one file or feed.
const (
	MaxBytes = 8 << 20
	maxRows  = 20_000
	maxLine  = 64 << 10
)

// Read reads a file. An error means that it is no file of that format at all; what is
// wrong with single weddings is in the reading.
func Read(data []byte, format models.CalendarFormat, d Defaults) (Reading, error) {
	if len(data) > MaxBytes {
		return Reading{}, &models.Error{Kind: models.KindTooLarge, Field: "body", Rule: fmt.Sprintf("must be at most %d bytes", MaxBytes)}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return Reading{}, models.Invalid("body", "", "must be UTF-8")
	}
	var r Reading
	var err error
	switch format {
	case models.FormatCSV:
		err = r.csv(data, d)
	case models.FormatJSONL:
		r.jsonl(data, d)
	case models.FormatICS:
		err = r.ics(data, d)
	default:
		_, err = models.ParseCalendarFormat("format", string(format))
	}
	if err != nil {
		return Reading{}, err
	}
	if n := len(r.Rows) + len(r.Faults); n > maxRows {
		return Reading{}, &models.Error{Kind: models.KindTooLarge, Field: "body", Rule: fmt.Sprintf("must hold at most %d weddings", maxRows)}
	}
	r.twice()
	return r, nil
}

// Guess finds the format by a name's ending, else by the first character.
func Guess(name string, data []byte) (models.CalendarFormat, error) {
	switch strings.ToLower(path.Ext(name)) {
	case ".ics", ".ical", ".ifb", ".icalendar":
		return models.FormatICS, nil
	case ".csv", ".tsv":
		return models.FormatCSV, nil
	case ".jsonl", ".ndjson", ".json":
		return models.FormatJSONL, nil
	}
	switch head := bytes.TrimLeft(data, "\xef\xbb\xbf \t\r\n"); {
	case bytes.HasPrefix(head, []byte("BEGIN:VCALENDAR")):
		return models.FormatICS, nil
	case bytes.HasPrefix(head, []byte("{")):
		return models.FormatJSONL, nil
	case bytes.Contains(bytes.ToLower(head[:min(len(head), 1000)]), []byte("reference")):
		return models.FormatCSV, nil
	default:
		return "", models.Invalid("format", "", "cannot be told from the file; must be one of ics, csv, jsonl")
	}
}

// asError finds the typed error in a chain.
func asError(err error) *models.Error {
	var e *models.Error
	if errors.As(err, &e) {
		return e
	}
	return &models.Error{Kind: models.KindInvalid, Rule: "cannot be read"}
}
