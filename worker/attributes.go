package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/wedsync/scalability/workflows"
)

// EnsureSearchAttributes registers what the workflows are found by, where it is missing.
// A Temporal that does not let this worker do so is told of once, with the command that
// somebody else has to run, and is not asked again.
func EnsureSearchAttributes(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	namespace := o.Namespace
	if namespace == "" {
		namespace = "default"
	}
	service := o.Client.OperatorService()
	known, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return forbidden(ctx, o, namespace, searchAttributes(), err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	var names []string
	for _, name := range searchAttributes() {
		if _, ok := known.GetCustomAttributes()[name]; !ok {
			missing[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
			names = append(names, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	var exists *serviceerror.AlreadyExists // another worker was faster
	if err == nil || errors.As(err, &exists) {
		o.log().InfoContext(ctx, "search attributes registered", "names", names)
		return nil
	}
	return forbidden(ctx, o, namespace, names, err)
}

// forbidden forgives an error that asking again would not cure.
func forbidden(ctx context.Context, o Options, namespace string, names []string, err error) error {
	var (
		denied  *serviceerror.PermissionDenied
		unknown *serviceerror.Unimplemented
		invalid *serviceerror.InvalidArgument
	)
	if !errors.As(err, &denied) && !errors.As(err, &unknown) && !errors.As(err, &invalid) {
		return fmt.Errorf("worker.EnsureSearchAttributes: %w", err)
	}
	o.log().WarnContext(ctx, "search attributes cannot be registered by this worker; until somebody does, its workflows do not start",
		"error", err, "command", "temporal operator search-attribute create --namespace "+namespace+" --type Keyword --name "+strings.Join(names, " --name "))
	return nil
}

func searchAttributes() []string {
	return []string{
		workflows.SearchAttributeService().GetName(), workflows.SearchAttributeOutcome().GetName(),
		workflows.SearchAttributeWeddingDate().GetName(), workflows.SearchAttributeSeverity().GetName(),
	}
}
