package sealed

import (
	"context"
	"encoding/json"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/wedsync/scalability/models"
)

// OpenPayloads opens {"payloads":[…]} in Temporal's JSON form, as its interface asks a
// codec server to.
func (c *Codec) OpenPayloads(_ context.Context, body json.RawMessage) (json.RawMessage, error) {
	var in commonpb.Payloads
	if err := protojson.Unmarshal(body, &in); err != nil {
		return nil, models.Invalid("payloads", "", "must be payloads in Temporal's JSON form")
	}
	opened, err := c.Decode(in.GetPayloads())
	if err != nil {
		return nil, models.Invalid("payloads", "", err.Error())
	}
	return protojson.Marshal(&commonpb.Payloads{Payloads: opened})
}
