package attn

import (
	"fmt"
	"math"

	"syntic/kernels/par"
)

// Spec says what is computed and where it lies.
//
// Head h of token t of batch item b starts at b·Batch + t·Stride + h·D, so
// [B,L,H·D] and a slice of a packed [B,L,3·H·D] both fit; a stride of 0 means
// H·D, a batch stride of 0 means L times the token stride. All are in floats.
type Spec struct {
	B, H, LQ, LK, D                    int
	StrideQ, StrideK, StrideV, StrideO int
	BatchQ, BatchK, BatchV, BatchO     int
	// Scale multiplies q·k; 0 means 1/√D.
	Scale float32
	// Causal lets query i see the keys j ≤ i + (lk-LQ) only: the queries are
	// the last LQ of lk tokens.
	Causal bool
	// KeyMask says that Run is given a mask.
	KeyMask bool
}

// SetStrides gives the strides of 0 their value.
//
// Errors: a stride too short for its rows.
func (s *Spec) SetStrides() error {
	for _, f := range []struct {
		stride, batch *int
		l             int
	}{{&s.StrideQ, &s.BatchQ, s.LQ}, {&s.StrideK, &s.BatchK, s.LK}, {&s.StrideV, &s.BatchV, s.LK}, {&s.StrideO, &s.BatchO, s.LQ}} {
		if *f.stride == 0 {
			*f.stride = s.H * s.D
		}
		if *f.batch == 0 {
			*f.batch = f.l * *f.stride
		}
		if *f.stride < s.H*s.D || *f.batch < 0 {
			return fmt.Errorf("token stride %d, batch stride %d: too short for %d heads of %d", *f.stride, *f.batch, s.H, s.D)
		}
	}
	return nil
}

// Op is attention of one Spec on one pool. One goroutine at a time may use it.
type Op struct {
	Spec
	k    *Kernel
	pool *par.Pool
	c    float32 // Scale·log2(e): scores are kept as powers of two
	none float32 // the infinity that c makes -Inf

	chunk  int // row road: queries of a unit of work
	chunks int // row road: units of a head; tile road: tasks of a head
	group  int // row road: units of a task; tile road: tiles of a task
	tasks  int
	task   func(worker, task int)

	tilePlan
	// packed says that K and V are copied to dense rows first, the kept keys
	// alone; seen[b·(LK+1)+j] counts the kept keys before j.
	packed bool
	seen   []int32
	pack   func(worker, task int)

	// The arguments of the Run under way.
	dst, q, kk, vv, mask, ws []float32
	lk                       int
}

// New plans attention of this shape and reserves the pool's scratch, so that
// Run doesn't allocate.
//
// Panics: a size below 1, or a stride too short for its rows.
func New(k *Kernel, pool *par.Pool, s Spec) *Op {
	if min(s.B, s.H, s.LQ, s.LK, s.D) < 1 {
		panic(fmt.Sprintf("attn: impossible shape: B %d, H %d, LQ %d, LK %d, D %d", s.B, s.H, s.LQ, s.LK, s.D))
	}
	if err := s.SetStrides(); err != nil {
		panic(fmt.Sprintf("attn: %v", err))
	}
	o := &Op{Spec: s, k: k, pool: pool}
	if s.Scale == 0 {
		o.c = float32(math.Log2E / math.Sqrt(float64(s.D)))
	} else {
		o.c = float32(float64(s.Scale) * math.Log2E)
	}
	o.none = float32(math.Copysign(math.Inf(1), -float64(o.c)))
	if k.scores[1] == nil || s.LQ <= k.few {
		o.planRows()
	} else {
		o.planTiles()
	}
	pool.Reserve(s.LK + k.lanes)
	return o
}

// Workspace returns how many floats Run needs in ws.
func (o *Op) Workspace() int {
	if !o.packed {
		return 0
	}
	return 2 * o.B * o.H * o.LK * o.D
}

// Run writes softmax(scale·q·kᵀ)·v of every head to dst.
//
// The first lk keys of each batch item are used: a cache grows without a new
// Op. mask [B,LK] (its rows are LK apart whatever lk is) is read only with
// Spec.KeyMask: a key with 0 is dropped, as if it were not there even if it
// holds NaN. A query that sees no key, or only scores of -Inf, gives zeros.
// NaN in a query or in a key or value it sees makes that query's result NaN
// and no other's.
//
// Same as ref.Attention within 1e-6 of the result's norm up to 4096 keys (1.6e-6
// portable). The bits depend on the shape, lk, the mask and the instruction set, not on
// workers, B, or the position in the batch.
//
// Panics: a slice too short for the Spec, or lk outside 0..LK. Aliasing: dst
// and ws overlap nothing. Allocs: none.
func (o *Op) Run(dst, q, k, v, mask []float32, lk int, ws []float32) {
	o.set(q, k, mask, lk)
	o.need("v", v, o.BatchV, o.StrideV, lk)
	o.need("dst", dst, o.BatchO, o.StrideO, o.LQ)
	if len(ws) < o.Workspace() {
		panic(fmt.Sprintf("attn: workspace of %d floats, %d needed", len(ws), o.Workspace()))
	}
	o.dst, o.vv, o.ws = dst, v, ws
	if lk == 0 {
		for t := range o.B * o.LQ {
			clear(dst[t/o.LQ*o.BatchO+t%o.LQ*o.StrideO:][:o.H*o.D])
		}
		return
	}
	if o.packed {
		if o.KeyMask {
			o.countKept()
		}
		o.pool.Run(o.B*((lk+packKeys-1)/packKeys), o.pack)
	}
	o.pool.Run(o.tasks, o.task)
	o.dst, o.q, o.kk, o.vv, o.mask, o.ws = nil, nil, nil, nil, nil, nil
}

// set checks what every run reads and keeps it for the tasks.
func (o *Op) set(q, k, mask []float32, lk int) {
	if lk < 0 || lk > o.LK {
		panic(fmt.Sprintf("attn: %d keys in use of %d", lk, o.LK))
	}
	o.need("q", q, o.BatchQ, o.StrideQ, o.LQ)
	o.need("k", k, o.BatchK, o.StrideK, lk)
	if o.KeyMask && len(mask) < o.B*o.LK {
		panic(fmt.Sprintf("attn: mask holds %d floats, %d needed", len(mask), o.B*o.LK))
	}
	o.q, o.kk, o.mask, o.lk = q, k, mask, lk
}

// need panics unless s holds l tokens of every batch item.
func (o *Op) need(name string, s []float32, batch, stride, l int) {
	if n := (o.B-1)*batch + (l-1)*stride + o.H*o.D; l > 0 && len(s) < n {
		panic(fmt.Sprintf("attn: %s holds %d floats, %d needed", name, len(s), n))
	}
}

// limit returns how many of the first keys query i may see.
func (o *Op) limit(i int) int {
	if !o.Causal {
		return o.lk
	}
	return min(max(i+1+o.lk-o.LQ, 0), o.lk)
}
