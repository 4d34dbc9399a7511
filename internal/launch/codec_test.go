package launch_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wedsync/scalability/models"
)

// mirror is a codec that anybody can read who knows it: every byte inverted.
type mirror struct{}

func (mirror) Encode(in []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(in))
	for i, p := range in {
		raw, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		out[i] = &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("mirror")}, Data: inverted(raw)}
	}
	return out, nil
}

func (mirror) Decode(in []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(in))
	for i, p := range in {
		if out[i] = p; string(p.GetMetadata()["encoding"]) != "mirror" {
			continue
		}
		out[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(inverted(p.GetData()), out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func inverted(in []byte) []byte {
	out := make([]byte, len(in))
	for i, b := range in {
		out[i] = ^b
	}
	return out
}

// TestWithACodecTemporalSeesNothingAndWeSeeAll looks at the history as the server keeps it.
func TestWithACodecTemporalSeesNothingAndWeSeeAll(t *testing.T) {
	f := newCodedFixture(t, true, mirror{})
	run := f.autoscaler(models.ServiceAnalytics)
	_, err := f.Control(t.Context(), models.ControlCommand{
		Action: models.ControlPause, Service: models.ServiceAnalytics, Actor: "user:anna", Reason: "the wedding of the year", RequestID: "r1",
	})
	require.NoError(t, err)
	d, err := f.Workflow(t.Context(), run.WorkflowID)
	require.NoError(t, err)
	assert.Equal(t, "Started by user:anna.", d.Sentence)
	assert.Equal(t, models.ServiceAnalytics, d.Service, "search attributes stay readable")
	assert.Equal(t, []string{"pause by user:anna: the wedding of the year"}, f.state(run.WorkflowID).Commands)

	history := f.client.GetWorkflowHistory(t.Context(), run.WorkflowID, "", false, 0)
	carried := 0
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		started, updated := event.GetWorkflowExecutionStartedEventAttributes(), event.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		for _, p := range append(started.GetInput().GetPayloads(), updated.GetAcceptedRequest().GetInput().GetArgs().GetPayloads()...) {
			carried++
			assert.Equal(t, "mirror", string(p.GetMetadata()["encoding"]))
		}
		for _, p := range started.GetMemo().GetFields() {
			carried++
			assert.Equal(t, "mirror", string(p.GetMetadata()["encoding"]))
		}
	}
	assert.Equal(t, 3, carried, "the input, the memo and the command")
}
