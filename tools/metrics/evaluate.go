package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"syntic/tools/metrics/meteor"
	"syntic/tools/metrics/ptb"
	"syntic/tools/metrics/read"
	"syntic/tools/metrics/spice"
	"syntic/tools/metrics/stats"
)

// The metrics, named as the toolkit names them in its results.
const (
	BLEU       = "Bleu" // Bleu_1 … Bleu_4
	METEOR     = "METEOR"
	ROUGEL     = "ROUGE_L"
	CIDEr      = "CIDEr"       // CIDEr-D, which the toolkit calls CIDEr
	CIDErPlain = "CIDEr-plain" // CIDEr without clipping and length penalty
	SPICE      = "SPICE"
)

// Options of an evaluation. The zero value gives the overlap metrics and
// METEOR's stages that need no data.
type Options struct {
	Metrics []string // nil for all but CIDEr-plain, and SPICE where it is set
	Meteor  *meteor.Data
	Spice   *spice.Program
	Workers int  // 0 for one per core
	Subset  bool // evaluate only pictures that have a prediction
	// Intervals asks for bootstrap intervals, drawn with Bootstrap.
	Intervals bool
	Bootstrap stats.Options
	// Progress is told how many pictures of a stage are done, from one
	// goroutine at a time.
	Progress func(stage string, done, total int)
}

// Score is one metric's value for the whole set.
type Score struct {
	Metric string          `json:"metric"`
	Value  float64         `json:"value"`
	Range  *stats.Interval `json:"interval,omitempty"`
	// Comparable is false where the number is not the official metric's.
	Comparable bool   `json:"comparable"`
	Note       string `json:"note,omitempty"`
}

// Picture is one picture's texts and scores.
type Picture struct {
	ID         string   `json:"id"`
	Prediction string   `json:"prediction"`
	Tokens     string   `json:"tokens"`
	References []string `json:"reference_tokens"`
	Values     Values   `json:"values"` // in the order of Result.Scores
}

// Values are numbers of which some may be NaN, written as null in JSON.
type Values []float64

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) {
	p := make([]*float64, len(v))
	for i := range v {
		if !math.IsNaN(v[i]) {
			p[i] = &v[i]
		}
	}
	return json.Marshal(p)
}

// Result of an evaluation.
type Result struct {
	Scores   []Score   `json:"scores"`
	Pictures []Picture `json:"pictures,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	samples  []stats.Sample
}

// Value returns a metric's value for the set.
func (r *Result) Value(metric string) (float64, bool) {
	for _, s := range r.Scores {
		if s.Metric == metric {
			return s.Value, true
		}
	}
	return 0, false
}

// Evaluate scores hyps against refs. The result does not depend on the number
// of workers.
// Errors: pictures that do not match, named; metrics that are not known; what
// METEOR's or SPICE's files lack; ctx's.
func Evaluate(ctx context.Context, refs, hyps *read.Set, o Options) (*Result, error) {
	r, texts, err := match(refs, hyps, o)
	if err != nil {
		return nil, err
	}
	return evaluate(ctx, r, texts, o)
}

// input is the raw references of each picture of a Result.
type input [][]string

// match pairs predictions with references in the references' order.
func match(refs, hyps *read.Set, o Options) (*Result, input, error) {
	var missing, extra []string
	r := &Result{}
	var texts input
	empty := 0
	for _, e := range refs.Entries {
		h, ok := hyps.Find(e.ID)
		if !ok {
			missing = append(missing, e.ID)
			continue
		}
		if len(h.Texts) != 1 {
			return nil, nil, fmt.Errorf("picture %q has %d predictions in %s; give one", e.ID, len(h.Texts), hyps.Name)
		}
		if strings.TrimSpace(h.Texts[0]) == "" {
			empty++
		}
		r.Pictures = append(r.Pictures, Picture{ID: e.ID, Prediction: h.Texts[0]})
		texts = append(texts, e.Texts)
	}
	for _, h := range hyps.Entries {
		if _, ok := refs.Find(h.ID); !ok {
			extra = append(extra, h.ID)
		}
	}
	switch {
	case len(extra) > 0:
		return nil, nil, fmt.Errorf("%s has predictions for %d pictures that %s does not know: %s", hyps.Name, len(extra), refs.Name, some(extra))
	case len(r.Pictures) == 0:
		return nil, nil, fmt.Errorf("no picture of %s has a prediction in %s", refs.Name, hyps.Name)
	case len(missing) > 0 && !o.Subset:
		return nil, nil, fmt.Errorf("%s lacks predictions for %d of %d pictures: %s; add them, or evaluate the subset that has them", hyps.Name, len(missing), len(refs.Entries), some(missing))
	case len(missing) > 0:
		r.warn("%d of %d pictures have no prediction and were left out; CIDEr's document frequencies come from the rest", len(missing), len(refs.Entries))
	}
	if empty > 0 {
		r.warn("%d predictions are empty; they are scored as the official toolkit scores them", empty)
	}
	if len(r.Pictures) == 1 && (o.Metrics == nil || slices.Contains(o.Metrics, CIDEr)) {
		r.warn("CIDEr is 0 for a single picture: every idf is log 1")
	}
	return r, texts, nil
}

func (r *Result) warn(format string, a ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, a...))
}

// some lists the first few of many.
func some(ids []string) string {
	if len(ids) <= 5 {
		return strings.Join(ids, ", ")
	}
	return strings.Join(ids[:5], ", ") + ", …"
}

// run is one evaluation under way.
type run struct {
	ctx     context.Context
	o       Options
	r       *Result
	hyps    []string   // tokens
	refs    [][]string // tokens
	workers int
	wanted  map[string]bool
}

func evaluate(ctx context.Context, r *Result, texts input, o Options) (*Result, error) {
	e := &run{ctx: ctx, o: o, r: r, workers: o.Workers}
	if e.workers <= 0 {
		e.workers = runtime.GOMAXPROCS(0)
	}
	if err := e.choose(); err != nil {
		return nil, err
	}
	if err := e.tokenise(texts); err != nil {
		return nil, err
	}
	for _, step := range []func() error{e.overlap, e.meteor, e.spice} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if o.Intervals {
		b := o.Bootstrap
		b.Workers = e.workers
		k := 0
		for _, s := range r.samples {
			for _, iv := range stats.Bootstrap(s, b) {
				r.Scores[k].Range = &iv
				k++
			}
		}
	}
	return r, nil
}

// choose checks the metrics asked for.
func (e *run) choose() error {
	e.wanted = map[string]bool{}
	if e.o.Metrics == nil {
		for _, m := range []string{BLEU, METEOR, ROUGEL, CIDEr} {
			e.wanted[m] = true
		}
		e.wanted[SPICE] = e.o.Spice != nil
		return nil
	}
	for _, m := range e.o.Metrics {
		switch {
		case m == "CIDEr-D":
			m = CIDEr
		case m == SPICE && e.o.Spice == nil:
			return errors.New("SPICE runs its official Java program; give the path of spice-1.0.jar")
		case !slices.Contains([]string{BLEU, METEOR, ROUGEL, CIDEr, CIDErPlain, SPICE}, m):
			return fmt.Errorf("unknown metric %q; known: Bleu, METEOR, ROUGE_L, CIDEr (CIDEr-D), CIDEr-plain, SPICE", m)
		}
		e.wanted[m] = true
	}
	return nil
}

// each calls f for every i below n from several goroutines, each with its own
// worker().
func (e *run) each(stage string, n int, worker func() func(i int)) error {
	const chunk = 32
	var next atomic.Int64
	var mu sync.Mutex
	done := 0
	var wg sync.WaitGroup
	for range e.workers {
		wg.Go(func() {
			f := worker()
			for e.ctx.Err() == nil {
				to := int(next.Add(chunk))
				from := to - chunk
				to = min(to, n)
				if from >= n {
					return
				}
				for i := from; i < to; i++ {
					f(i)
				}
				if e.o.Progress != nil {
					mu.Lock()
					done += to - from
					e.o.Progress(stage, done, n)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return e.ctx.Err()
}

// maxCaption is the length in bytes from which a caption is cut, with a
// warning: METEOR's search and ROUGE-L grow with the product of two lengths. The
// longest of 122 000 captions looked at has 373 bytes.
const maxCaption = 2048

// cut shortens long captions.
func (e *run) cut(lines []string) {
	n := 0
	for i, s := range lines {
		if len(s) > maxCaption {
			lines[i] = strings.ToValidUTF8(s[:maxCaption], "")
			n++
		}
	}
	if n > 0 {
		e.r.warn("%d captions are longer than %d bytes and were cut there", n, maxCaption)
	}
}

// tokenise fills hyps and refs. As in the toolkit, the references of all
// pictures are one text and the predictions another, which matters for a full
// stop at a caption's end (see ptb.Caption).
func (e *run) tokenise(texts input) error {
	var lines []string
	for _, t := range texts {
		lines = append(lines, t...)
	}
	border := len(lines)
	for i := range e.r.Pictures {
		lines = append(lines, e.r.Pictures[i].Prediction)
	}
	e.cut(lines)
	out := make([]string, len(lines))
	err := e.each("tokenise", len(lines), func() func(int) {
		return func(i int) {
			next := ""
			if i+1 < len(lines) && i+1 != border {
				next = lines[i+1]
			}
			out[i] = ptb.Caption(lines[i], next)
		}
	})
	if err != nil {
		return err
	}
	e.hyps = out[border:]
	e.refs = make([][]string, len(texts))
	k := 0
	for i, t := range texts {
		e.refs[i] = out[k : k+len(t) : k+len(t)]
		k += len(t)
		e.r.Pictures[i].Tokens, e.r.Pictures[i].References = e.hyps[i], e.refs[i]
	}
	return nil
}

// add appends a sample's scores and the pictures' values, value(i, k) being
// picture i's value of the sample's metric k.
func (e *run) add(s stats.Sample, comparable bool, note string, value func(i, k int) float64) {
	for k, v := range s.Value() {
		e.r.Scores = append(e.r.Scores, Score{Metric: s.Names[k], Value: v, Comparable: comparable, Note: note})
	}
	e.r.samples = append(e.r.samples, s)
	for i := range e.r.Pictures {
		p := &e.r.Pictures[i]
		for k := range s.Names {
			p.Values = append(p.Values, value(i, k))
		}
	}
}

func (e *run) addMean(name string, values []float64) {
	e.add(stats.Mean(name, values), true, "", func(i, _ int) float64 { return values[i] })
}
