package forecast

import "math"

// carry is the newest residual and how much of it lasts.
type carry struct {
	residual float64
	xy, xx   float64
}

const (
	carryFade  = 0.999
	carryPrior = 24.0 // usual residuals that stand for what is expected before any was seen
)

// take learns from the residual after this one.
func (c *carry) take(next float64) {
	c.xy = carryFade*c.xy + c.residual*next
	c.xx = carryFade*c.xx + c.residual*c.residual
	c.residual = next
}

// keeps is how much of a residual is left an hour later.
func (c *carry) keeps() float64 {
	prior := carryPrior * c.xx * (1 - carryFade)
	if c.xx == 0 {
		return keeps
	}
	return math.Min(math.Max((c.xy+keeps*prior)/(c.xx+prior), 0), 0.98)
}
