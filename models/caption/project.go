package caption

import (
	"cmp"
	"context"
	"math"
	"slices"

	"syntic/tensor/graph"
	"syntic/weights"
)

// projectBatch bounds the pictures projected at once: a million texts need 4 MB
// of weights each.
const projectBatch = 4

// project is equation 3: each feature becomes the sum of the memory's features
// weighted by softmax(cos/τ), scaled to unit length. With Explain it fills the
// results' Support.
func (m *Model) project(ctx context.Context, features []float32, o Options, results []Result) ([]float32, error) {
	d := m.Encoder.Dim()
	out := make([]float32, len(features))
	tau := m.Settings.Tau
	if o.Tau > 0 {
		tau = o.Tau
	}
	// A temperature below the cosines' own rounding is the limit: the nearest.
	k := o.TopK
	if tau < 1e-6 {
		k, tau = 1, 1
	}
	for lo := 0; lo < len(results); lo += projectBatch {
		hi := min(lo+projectBatch, len(results))
		p, err := m.projection(hi-lo, tau)
		if err != nil {
			return nil, err
		}
		copy(p.F32("v"), features[lo*d:hi*d])
		if err := p.Run(ctx); err != nil {
			return nil, err
		}
		w := p.F32("weights")
		copy(out[lo*d:], p.F32("projected"))
		for i := lo; i < hi; i++ {
			row := w[(i-lo)*m.Memory.Len() : (i-lo+1)*m.Memory.Len()]
			if k > 0 {
				if err := m.nearest(out[i*d:(i+1)*d], row, k); err != nil {
					return nil, err
				}
			}
			for _, j := range largest(row, o.Explain) {
				results[i].Support = append(results[i].Support, Support{m.Memory.Text(j), float64(row[j])})
			}
		}
	}
	return out, nil
}

func (m *Model) projection(batch int, tau float64) (*graph.Program, error) {
	return m.cache.Get(programKey{project: true, batch: batch, tau: tau}, func() (*graph.Program, error) {
		return graph.Build(m.dev, func(b *graph.Builder) {
			cos := b.RowDots(b.Input("v", batch, m.Memory.Dim()), m.Memory.rows)
			w := b.Output("weights", b.Softmax(cos, float32(1/tau)))
			b.Output("projected", b.L2Norm(b.RowSum(w, m.Memory.rows)))
		})
	})
}

// nearest replaces a projection by the one over the k largest shares alone,
// and the shares by theirs.
func (m *Model) nearest(dst, shares []float32, k int) error {
	top := largest(shares, k)
	sum := 0.0
	for _, j := range top {
		sum += float64(shares[j])
	}
	kept := make([]float32, len(top))
	for i, j := range top {
		kept[i] = float32(float64(shares[j]) / sum)
	}
	clear(shares)
	clear(dst)
	row := make([]float32, len(dst))
	for i, j := range top {
		shares[j] = kept[i]
		if err := m.Memory.Feature(row, j); err != nil {
			return err
		}
		for c, x := range row {
			dst[c] += float32(kept[i] * x)
		}
	}
	Normalize(dst, len(dst))
	return nil
}

// Search returns the k texts of a memory nearest to a normalised feature, with
// their cosines, best first.
func (m *Memory) Search(feature []float32, k int) (found []Support, err error) {
	err = weights.Guard(func() error {
		cos, row := make([]float32, m.Len()), make([]float32, m.Dim())
		for i := range cos {
			if err := m.Feature(row, i); err != nil {
				return err
			}
			s := 0.0
			for c, x := range row {
				s += float64(x) * float64(feature[c])
			}
			cos[i] = float32(s)
		}
		for _, j := range largest(cos, k) {
			found = append(found, Support{m.Text(j), float64(cos[j])})
		}
		return nil
	})
	return found, err
}

// largest returns the indices of the k largest values, largest first, the lower
// index first among equal ones.
func largest(x []float32, k int) []int {
	k = min(k, len(x))
	top := make([]int, 0, k+1)
	for i, v := range x {
		if len(top) == k && (k == 0 || !(v > x[top[k-1]])) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, v, func(j int, v float32) int {
			if x[j] >= v {
				return -1
			}
			return cmp.Compare(v, x[j])
		})
		top = slices.Insert(top, at, i)
		top = top[:min(len(top), k)]
	}
	return top
}

// weighTags fills how equation 5's attention weighed the tags, the mean over
// its heads. It repeats the attention's first half in float64: a few tags, so
// it needs no program.
func (m *Model) weighTags(r *Result, labels []int) error {
	if len(labels) == 0 {
		return nil
	}
	w, err := m.prefix.Attn.Weight.Float32s()
	if err != nil {
		return err
	}
	bias, err := m.prefix.Attn.Bias.Float32s()
	if err != nil {
		return err
	}
	d, heads := m.Encoder.Dim(), m.prefix.heads
	project := func(x []float32, first int) []float64 {
		y := make([]float64, d)
		for i := range y {
			y[i] = float64(bias[first+i])
			for j, v := range x {
				y[i] += float64(w[(first+i)*d+j]) * float64(v)
			}
		}
		return y
	}
	q := project(m.query(r), 0)
	keys := make([][]float64, len(labels))
	for t, label := range labels {
		keys[t] = project(m.Tags.Feature(label), d)
	}
	per := d / heads
	for h := range heads {
		e, sum := make([]float64, len(labels)), 0.0
		top := math.Inf(-1)
		for t, k := range keys {
			for i := h * per; i < (h+1)*per; i++ {
				e[t] += q[i] * k[i]
			}
			e[t] /= math.Sqrt(float64(per))
			top = max(top, e[t])
		}
		for t := range e {
			e[t] = math.Exp(e[t] - top)
			sum += e[t]
		}
		for t := range e {
			r.Tags[t].Weight += e[t] / sum / float64(heads)
		}
	}
	return nil
}
