package backfill

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// Columns of a file.
const (
	columnTime = "timestamp"
	columnLoad = "rps"
)

// CSV reads lines of a time and a load in requests per second. The first line may name the
// columns, timestamp and rps, among others that are passed over. A time is RFC 3339 with an
// offset, or seconds since 1970; it may not lie after now. Lines may come in any order and
// at any distance.
func CSV(r io.Reader, now time.Time) ([]models.HourlyLoad, error) {
	in := csv.NewReader(r)
	in.ReuseRecord, in.TrimLeadingSpace = true, true
	all, at, value := hours{}, 0, 1
	for first := true; ; first = false {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, malformed(err)
		}
		line, _ := in.FieldPos(0)
		if first {
			if a, v, named := header(row); named {
				if a < 0 || v < 0 {
					return nil, models.Invalid("line 1", strings.Join(row, ","), "must name the columns "+columnTime+" and "+columnLoad)
				}
				at, value = a, v
				continue
			}
		}
		if len(row) <= max(at, value) {
			return nil, models.Invalid(fmt.Sprintf("line %d", line), strings.Join(row, ","), "must have a time and a load")
		}
		if err := all.addText(line, row[at], row[value], now); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, models.Invalid("file", "", "must have at least one line with a time and a load")
	}
	return all.list(), nil
}

// addText takes one line.
func (h hours) addText(line int, at, value string, now time.Time) error {
	when, err := moment(at, now)
	if err != nil {
		return models.Invalid(fmt.Sprintf("line %d, %s", line, columnTime), at, err.Error())
	}
	rps, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !load(rps) {
		return models.Invalid(fmt.Sprintf("line %d, %s", line, columnLoad), value, "must be a number of requests per second, from 0 up")
	}
	h.add(when, rps)
	return nil
}

// malformed names the line that is no CSV.
func malformed(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return models.Invalid(fmt.Sprintf("line %d, column %d", parse.Line, parse.Column), "", "is not CSV: "+parse.Err.Error())
	}
	return fmt.Errorf("backfill.CSV: %w", err)
}

// header finds the columns by name; named is false where the first field is a time.
func header(row []string) (at, value int, named bool) {
	at, value = -1, -1
	for i, name := range row {
		switch strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))) {
		case columnTime:
			at, named = i, true
		case columnLoad:
			value, named = i, true
		}
	}
	return at, value, named
}

func moment(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		seconds, number := strconv.ParseFloat(text, 64)
		if number != nil || math.Abs(seconds) > 1e11 || math.IsNaN(seconds) {
			return time.Time{}, errors.New("must be a time with an offset, as in 2027-06-12T14:00:00Z, or seconds since 1970")
		}
		at = time.Unix(int64(seconds), 0)
	}
	if at.Before(time.Unix(0, 0)) || at.After(now) {
		return time.Time{}, errors.New("must lie after 1970 and not after now")
	}
	return at, nil
}
