package linear

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// widest bounds the variance of a coefficient: with forgetting, that of a feature that is
// not seen for long would grow without end.
const widest = 1e4

// Recursive is ridge regression with forgetting, updated row by row: with the inverse P
// of the normal equations,
//
//	k = P·x ÷ (λ/weight + xᵀPx),  w += k·(y − xᵀw),  P = (P − k·xᵀP) ÷ λ
type Recursive struct {
	w, gain []float64
	p       blas64.Symmetric // the upper triangle
	prior   float64
	forget  float64
	scale   float64 // P is p times this: forgetting scales all of it at once
}

// NewRecursive starts at coefficients of zero with the variance prior; forget is what
// remains of a row's weight after the next one.
func NewRecursive(features int, prior, forget float64) *Recursive {
	r := &Recursive{
		w: make([]float64, features), gain: make([]float64, features), prior: prior, forget: forget, scale: 1,
		p: blas64.Symmetric{N: features, Stride: features, Uplo: blas.Upper, Data: make([]float64, features*features)},
	}
	for i := range features {
		r.p.Data[i*features+i] = prior
	}
	return r
}

// Predict gives what a row is expected to give.
func (r *Recursive) Predict(x []float64) float64 { return Dot(r.w, x) }

// Part is the share that the features of [from, until) have in what a row gives.
func (r *Recursive) Part(x []float64, from, until int) float64 {
	return Dot(r.w[from:until], x[from:until])
}

// Update learns from one row.
func (r *Recursive) Update(x []float64, y, weight float64) {
	vx := blas64.Vector{N: len(x), Inc: 1, Data: x}
	k := blas64.Vector{N: len(r.gain), Inc: 1, Data: r.gain}
	blas64.Symv(r.scale, r.p, vx, 0, k)
	d := r.forget/weight + Dot(r.gain, x)
	blas64.Axpy((y-r.Predict(x))/d, k, blas64.Vector{N: len(r.w), Inc: 1, Data: r.w})
	blas64.Syr(-1/(d*r.scale), k, r.p)
	if r.forget < 1 {
		r.grow()
	}
}

// grow is the division by λ, where the variances have room left.
func (r *Recursive) grow() {
	n := r.p.N
	sum := 0.0
	for i := range n {
		sum += r.p.Data[i*n+i]
	}
	if r.scale*sum <= widest*r.prior*float64(n) {
		r.scale /= r.forget
	}
	const far = 1e9
	if r.scale > far {
		blas64.Scal(r.scale, blas64.Vector{N: n * n, Inc: 1, Data: r.p.Data})
		r.scale = 1
	}
}
