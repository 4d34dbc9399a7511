package linear

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// blockRows are multiplied at once.
const blockRows = 256

// Normal gathers the normal equations of a least squares problem: XᵀWX and XᵀWy.
type Normal struct {
	p     int
	xx    *mat.SymDense
	xy    *mat.VecDense
	rows  []float64
	sides []float64
	n     float64
}

// NewNormal makes one for rows of p features.
func NewNormal(p int) *Normal {
	return &Normal{
		p: p, xx: mat.NewSymDense(p, nil), xy: mat.NewVecDense(p, nil),
		rows: make([]float64, 0, blockRows*p), sides: make([]float64, 0, blockRows),
	}
}

// Add takes one row, what it should give, and its weight.
func (n *Normal) Add(x []float64, y, weight float64) {
	root := math.Sqrt(weight)
	for _, v := range x {
		n.rows = append(n.rows, root*v)
	}
	n.sides = append(n.sides, root*y)
	n.n++
	if len(n.sides) == blockRows {
		n.flush()
	}
}

func (n *Normal) flush() {
	rows := len(n.sides)
	if rows == 0 {
		return
	}
	x := blas64.General{Rows: rows, Cols: n.p, Stride: n.p, Data: n.rows}
	y := blas64.Vector{N: rows, Inc: 1, Data: n.sides}
	blas64.Syrk(blas.Trans, 1, x, 1, n.xx.RawSymmetric())
	blas64.Gemv(blas.Trans, 1, x, y, 1, n.xy.RawVector())
	n.rows, n.sides = n.rows[:0], n.sides[:0]
}

// Merge adds what another one gathered.
func (n *Normal) Merge(o *Normal) {
	n.flush()
	o.flush()
	n.xx.AddSym(n.xx, o.xx)
	n.xy.AddVec(n.xy, o.xy)
	n.n += o.n
}

// Fade multiplies all that was gathered, so that the past counts less.
func (n *Normal) Fade(by float64) {
	n.flush()
	n.xx.ScaleSym(by, n.xx)
	n.xy.ScaleVec(by, n.xy)
	n.n *= by
}

// Rows is how many were gathered, less what faded.
func (n *Normal) Rows() float64 { return n.n }

// Moment is the weighted sum of squares of a feature.
func (n *Normal) Moment(feature int) float64 {
	n.flush()
	return n.xx.At(feature, feature)
}

// ErrSingular says that the equations have no solution.
var ErrSingular = errors.New("linear: the equations have no solution")

// Solve gives the coefficients with the least squared errors plus penalty(i) times the
// squared distance of each coefficient from that of towards; nil stands for zeros.
func (n *Normal) Solve(penalty func(feature int) float64, towards []float64) ([]float64, error) {
	n.flush()
	a := mat.NewSymDense(n.p, nil)
	a.CopySym(n.xx)
	b := mat.VecDenseCopyOf(n.xy)
	for i := range n.p {
		p := penalty(i)
		a.SetSym(i, i, a.At(i, i)+p)
		if towards != nil {
			b.SetVec(i, b.AtVec(i)+p*towards[i])
		}
	}
	var c mat.Cholesky
	if !c.Factorize(a) { //nolint:misspell // gonum's name
		return nil, ErrSingular
	}
	out := mat.NewVecDense(n.p, nil)
	if err := c.SolveVecTo(out, b); err != nil {
		var ill mat.Condition // a warning: the solution is there
		if !errors.As(err, &ill) || math.IsInf(float64(ill), 1) {
			return nil, ErrSingular
		}
	}
	return out.RawVector().Data, nil
}

// Dot is the sum of the products of two vectors of one length.
func Dot(a, b []float64) float64 {
	return blas64.Dot(blas64.Vector{N: len(a), Inc: 1, Data: a}, blas64.Vector{N: len(b), Inc: 1, Data: b})
}
