package store

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm/schema"

	"github.com/wedsync/scalability/models"
)

const ruleText = "must be UTF-8 text without NUL characters"

// checkText finds text that Postgres does not keep, and names its field. Text inside of
// JSON columns is left to the server.
func checkText(rows ...any) error {
	for _, row := range rows {
		v := reflect.ValueOf(row)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String && !storable(f.String()) {
				field, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
				return models.Invalid(field, strings.ToValidUTF8(f.String(), "\uFFFD"), ruleText)
			}
		}
	}
	return nil
}

func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// isoDate keeps a YYYY-MM-DD string of a model in a column of type date.
type isoDate struct{}

func registerSerializers() { schema.RegisterSerializer("isodate", isoDate{}) }

// Scan reads what the driver makes of a date.
func (isoDate) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, value any) error {
	switch v := value.(type) {
	case nil:
		return field.Set(ctx, dst, "")
	case time.Time:
		return field.Set(ctx, dst, v.Format(time.DateOnly))
	default:
		return fmt.Errorf("store: a date that is %T", value)
	}
}

// Value refuses what is no date before the server does, to name the field.
func (isoDate) Value(_ context.Context, field *schema.Field, _ reflect.Value, value any) (any, error) {
	s, _ := value.(string)
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		return nil, models.Invalid(name, s, "must be a date as in 2027-06-12")
	}
	return t, nil
}
