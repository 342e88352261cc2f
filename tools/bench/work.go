package bench

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Work is one workload. Which fields count depends on Kind; their JSON names
// are those of the workers' protocol, where M is the model's name for models.
type Work struct {
	Name  string
	Kind  string // gemm, conv, attn, op, model or greedy
	FLOPs float64
	Bytes float64 // read and written, for op, which the memory bounds

	M, K, N            int // gemm: [M,K]·[K,N]
	B                  int // conv and attn: the batch
	C, H, W, Co, Ks, S int // conv: Ks×Ks over [B,H,W,C] to Co channels, stride S
	Hd, Lq, Lk, D      int // attn: heads, queries, keys, size of a head
	Op                 string
	Shape              []int  // op: the operand; [N,C,H,W] for groupnorm
	Model              string // model: clip_vision, clip_text, detr, unet, unet_guided, vae_decoder or image
	Bt, Len            int    // model and greedy: the batch; clip_text: tokens
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *Work) UnmarshalJSON(data []byte) error {
	type plain Work
	v := struct {
		*plain
		M json.RawMessage
	}{plain: (*plain)(w)}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	if len(v.M) == 0 {
		return nil
	}
	if w.Kind == "model" {
		return json.Unmarshal(v.M, &w.Model)
	}
	return json.Unmarshal(v.M, &w.M)
}

// kernel reports whether the workload is one operation.
func (w *Work) kernel() bool { return w.Kind != "model" && w.Kind != "greedy" }

// set returns the set that the workload belongs to.
func (w *Work) set() string {
	switch {
	case w.kernel():
		return "kernels"
	case w.Model == "unet" || w.Model == "vae_decoder":
		return "heavy"
	}
	return "models"
}

// pad returns a convolution's padding: that of equal size, or none for patches.
func (w *Work) pad() int {
	if w.Ks >= patch {
		return 0
	}
	return w.Ks / 2
}

// patch is the kernel size from which on a convolution cuts a picture up.
const patch = 32

// dims describes the operands' shapes for people.
func (w *Work) dims() string {
	switch w.Kind {
	case "gemm":
		return fmt.Sprintf("[%d,%d]·[%d,%d]", w.M, w.K, w.K, w.N)
	case "conv":
		return fmt.Sprintf("[%d,%d,%d,%d] * [%d,%d,%d,%d] /%d", w.B, w.H, w.W, w.C, w.Co, w.C, w.Ks, w.Ks, w.S)
	case "attn":
		return fmt.Sprintf("[%d,%d,%d,%d] over %d", w.B, w.Lq, w.Hd, w.D, w.Lk)
	case "op":
		return strings.ReplaceAll(fmt.Sprint(w.Shape), " ", ",")
	case "greedy":
		return fmt.Sprintf("[%d,%d] to %d tokens", w.Bt, feature, greedyTokens)
	}
	switch w.Model {
	case "clip_vision":
		return fmt.Sprintf("[%d,224,224,3]", w.Bt)
	case "clip_text":
		return fmt.Sprintf("[%d,%d]", w.Bt, w.Len)
	case "unet_guided":
		return fmt.Sprintf("[%d,%d,%d,4], %d prompts", w.Bt/2, latent, latent, w.Bt)
	case "unet", "vae_decoder":
		return fmt.Sprintf("[%d,%d,%d,4]", w.Bt, latent, latent)
	}
	return fmt.Sprintf("[%d,%d,%d,3]", w.Bt, detrH, detrW)
}

// The largest workload accepted: a mistyped number is an error, not the end of
// the machine's memory.
const (
	maxElems = 1 << 29
	maxBatch = 512
)

// check returns an error that names the first impossible number.
func (w *Work) check() error {
	type dim struct {
		name string
		n    int
	}
	elems := 0.0
	positive := func(dims ...dim) error {
		for _, d := range dims {
			if d.n < 1 {
				return fmt.Errorf("%s workload %q: %s is %d, must be at least 1", w.Kind, w.Name, d.name, d.n)
			}
		}
		return nil
	}
	product := func(ns ...int) float64 {
		p := 1.0
		for _, n := range ns {
			p *= float64(n)
		}
		return p
	}
	var err error
	switch w.Kind {
	case "gemm":
		err = positive(dim{"M", w.M}, dim{"K", w.K}, dim{"N", w.N})
		elems = product(w.M, w.K) + product(w.K, w.N) + product(w.M, w.N)
	case "conv":
		err = positive(dim{"B", w.B}, dim{"C", w.C}, dim{"H", w.H}, dim{"W", w.W}, dim{"Co", w.Co}, dim{"Ks", w.Ks}, dim{"S", w.S})
		if err == nil && min(w.H, w.W)+2*w.pad() < w.Ks {
			err = fmt.Errorf("conv workload %q: the kernel is larger than the picture", w.Name)
		}
		elems = product(w.B, w.H, w.W, max(w.C, w.Co)) + product(w.Co, w.C, w.Ks, w.Ks)
	case "attn":
		err = positive(dim{"B", w.B}, dim{"Hd", w.Hd}, dim{"Lq", w.Lq}, dim{"Lk", w.Lk}, dim{"D", w.D})
		elems = product(w.B, w.Hd, w.D, max(w.Lq, w.Lk), 4)
	case "op":
		for _, n := range w.Shape {
			if err == nil {
				err = positive(dim{"Shape", n})
			}
		}
		if err == nil {
			err = w.checkOp()
		}
		elems = product(w.Shape...)
	case "model", "greedy":
		err = positive(dim{"Bt", w.Bt})
		if err == nil && w.Bt > maxBatch {
			err = fmt.Errorf("%s workload %q: a batch of %d, at most %d", w.Kind, w.Name, w.Bt, maxBatch)
		}
	default:
		return fmt.Errorf("the kind %q isn't built yet; gemm, conv, attn, op, model and greedy are", w.Kind)
	}
	if err == nil && elems > maxElems {
		err = fmt.Errorf("%s workload %q: %.3g elements, at most %d", w.Kind, w.Name, elems, maxElems)
	}
	return err
}

func (w *Work) checkOp() error {
	if !slices.Contains([]string{"groupnorm", "layernorm", "softmax", "gelu", "silu", "relu"}, w.Op) {
		return fmt.Errorf("op workload %q: the operation %q is unknown", w.Name, w.Op)
	}
	if len(w.Shape) == 0 || w.Op == "groupnorm" && (len(w.Shape) != 4 || w.Shape[1]%groups != 0) {
		return fmt.Errorf("op workload %q: no %s of shape %v", w.Name, w.Op, w.Shape)
	}
	return nil
}

// Select returns the workloads of a set, "kernels", "models", "heavy", "large" or ""
// for kernels and models, whose names match only, nil for all. The heavy ones, of
// Stable Diffusion, take up to 10 GB of memory, the large ones are for GPUs. Errors:
// an unknown set, or no match.
func Select(set string, only *regexp.Regexp) ([]Work, error) {
	if !slices.Contains([]string{"", "kernels", "models", "heavy", "large"}, set) {
		return nil, fmt.Errorf("there is no set of workloads %q: kernels, models, heavy and large are", set)
	}
	list := workloads()
	if set == "large" {
		list = large()
	}
	list = slices.DeleteFunc(list, func(w Work) bool {
		return set != "large" && w.set() != set && (set != "" || w.set() == "heavy") || only != nil && !only.MatchString(w.Name)
	})
	if len(list) == 0 {
		return nil, fmt.Errorf("no workload's name matches %s", only)
	}
	return list, nil
}
