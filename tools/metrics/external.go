package metrics

import (
	"math"
	"strings"

	"syntic/tools/metrics/meteor"
	"syntic/tools/metrics/spice"
	"syntic/tools/metrics/stats"
)

func (e *run) meteor() error {
	if !e.wanted[METEOR] {
		return nil
	}
	d := e.o.Meteor
	if d == nil {
		d = &meteor.Data{}
	}
	var texts []string
	first := make([]int, len(e.hyps)) // the prediction's place; references follow
	for i, h := range e.hyps {
		first[i] = len(texts)
		texts = append(append(texts, h), e.refs[i]...)
	}
	c, err := meteor.NewCorpus(e.ctx, d, texts)
	if err != nil {
		return err
	}
	best := make([]meteor.Stats, len(e.hyps))
	err = e.each("METEOR", len(e.hyps), func() func(int) {
		a := c.NewAligner()
		return func(i int) { best[i] = a.Best(first[i], len(e.refs[i])) }
	})
	if err != nil {
		return err
	}
	s := stats.Sample{Names: []string{METEOR}, Rows: make([][]float64, len(best))}
	for i, b := range best {
		var one meteor.Stats
		one.Add(b)
		s.Rows[i] = one.Row()
	}
	s.Score = func(sum []float64) []float64 { return []float64{meteor.FromRow(sum).Score()} }
	note := ""
	if !d.Complete() {
		var names []string
		for _, st := range d.Stages() {
			names = append(names, st.String())
		}
		note = "not comparable: only the stages " + strings.Join(names, ", ") + " ran; METEOR needs meteor-1.5.jar and paraphrase-en.gz"
	}
	e.add(s, d.Complete(), note, func(i, _ int) float64 { return best[i].Score() })
	return nil
}

func (e *run) spice() error {
	if !e.wanted[SPICE] {
		return nil
	}
	items := make([]spice.Item, len(e.hyps))
	for i := range items {
		items[i] = spice.Item{ID: e.r.Pictures[i].ID, Test: e.hyps[i], Refs: e.refs[i]}
	}
	if e.o.Progress != nil {
		e.o.Progress("SPICE", 0, len(items))
	}
	values, err := e.o.Spice.Run(e.ctx, items)
	if err != nil {
		return err
	}
	rows := make([][]float64, len(values))
	none := 0
	for i, v := range values {
		rows[i] = []float64{v, 1}
		if math.IsNaN(v) {
			rows[i] = []float64{0, 0}
			none++
		}
	}
	note := ""
	if none > 0 {
		e.r.warn("SPICE found nothing to compare in %d pictures; they are left out of its mean, which the official toolkit gives as NaN", none)
		note = "mean of the pictures that have a value"
	}
	mean := stats.Mean(SPICE, values)
	mean.Rows = rows
	e.add(mean, none == 0, note, func(i, _ int) float64 { return values[i] })
	return nil
}
