package calendar

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/wedsync/scalability/models"
)

// csv reads a header and a wedding a line (RFC 4180); semicolons and tabs serve too.
func (r *Reading) csv(data []byte, d Defaults) error {
	in := csv.NewReader(bytes.NewReader(data))
	in.Comma = separator(data)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	heading, err := in.Read()
	if errors.Is(err, io.EOF) {
		return models.Invalid("body", "", "must begin with a line of column names")
	}
	if err != nil {
		return malformed(err)
	}
	columns, err := columnsOf(heading)
	if err != nil {
		return err
	}
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return malformed(err)
		}
		line, _ := in.FieldPos(0)
		if len(r.Rows)+len(r.Faults) > maxRows {
			return nil // refused by the caller
		}
		r.cells(line, cells, columns, d)
	}
}

func (r *Reading) cells(line int, cells, columns []string, d Defaults) {
	rec := record{line: line, fields: map[string]string{}}
	for i, cell := range cells {
		if i < len(columns) {
			rec.fields[columns[i]] = strings.TrimSpace(cell)
		}
	}
	if len(cells) != len(columns) {
		r.faulty(line, rec.fields[fieldReference], models.Invalid("line", len(cells), "must have as many cells as the first line"))
		return
	}
	r.take(rec, d)
}

func columnsOf(heading []string) ([]string, error) {
	columns := make([]string, len(heading))
	seen := map[string]bool{}
	for i, h := range heading {
		name, known := knownField(h)
		if !known {
			return nil, unknownField(h)
		}
		if seen[name] {
			return nil, models.Invalid(name, "", "must be the name of one column")
		}
		columns[i], seen[name] = name, true
	}
	for _, need := range []string{fieldReference, fieldStart, fieldGuests} {
		if !seen[need] {
			return nil, models.Invalid(need, "", "must be among the columns")
		}
	}
	return columns, nil
}

// separator is the sign that the first line has most of.
func separator(data []byte) rune {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	best, most := ',', bytes.Count(line, []byte(","))
	for _, s := range ";\t" {
		if n := bytes.Count(line, []byte(string(s))); n > most {
			best, most = s, n
		}
	}
	return best
}

// malformed says where a CSV breaks off, without what stands there.
func malformed(err error) error {
	var at *csv.ParseError
	if errors.As(err, &at) {
		return models.Invalid("line", at.StartLine, "must be CSV: quotes must be closed, and doubled inside of quotes")
	}
	return models.Invalid("body", "", "must be CSV")
}
