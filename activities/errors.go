package activities

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/wedsync/scalability/models"
)

// fail gives an error its Temporal form: the type is the kind, and the kinds that a
// repetition cannot cure are not retried.
func fail(err error) error {
	if err == nil {
		return nil
	}
	kind := models.KindOf(err)
	switch kind {
	case models.KindInvalid, models.KindNotFound, models.KindConflict, models.KindExpired,
		models.KindForbidden, models.KindUnauthorised, models.KindTooLarge:
		return temporal.NewNonRetryableApplicationError(err.Error(), string(kind), err)
	case models.KindInternal, models.KindUnavailable, models.KindRateLimited:
		return temporal.NewApplicationErrorWithCause(err.Error(), typeName(kind), err)
	default:
		return temporal.NewApplicationErrorWithCause(err.Error(), typeName(kind), err)
	}
}

// typeName keeps an unclassified error from having an empty type.
func typeName(k models.Kind) string {
	if k == models.KindInternal {
		return "internal"
	}
	return string(k)
}

// KindOf reads the kind back from an activity's error. What is none of ours, such as a
// time-out or the error of a library, is internal.
func KindOf(err error) models.Kind {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) {
		return models.KindInternal
	}
	switch kind := models.Kind(app.Type()); kind {
	case models.KindInvalid, models.KindNotFound, models.KindConflict, models.KindUnauthorised, models.KindForbidden,
		models.KindTooLarge, models.KindRateLimited, models.KindUnavailable, models.KindExpired:
		return kind
	default:
		return models.KindInternal
	}
}
