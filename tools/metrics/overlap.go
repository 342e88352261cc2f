package metrics

import (
	"syntic/tools/metrics/overlap"
	"syntic/tools/metrics/stats"
)

// overlap adds BLEU, ROUGE-L and CIDEr.
func (e *run) overlap() error {
	if !e.wanted[BLEU] && !e.wanted[ROUGEL] && !e.wanted[CIDEr] && !e.wanted[CIDErPlain] {
		return nil
	}
	n := len(e.hyps)
	c := overlap.Index(e.hyps, e.refs)
	bleu := make([]overlap.BLEUStats, n)
	rouge, cider, plain := make([]float64, n), make([]float64, n), make([]float64, n)
	err := e.each("overlap", n, func() func(int) {
		s := c.NewScratch()
		return func(i int) {
			if e.wanted[BLEU] {
				bleu[i] = c.BLEU(i, s)
			}
			if e.wanted[ROUGEL] {
				rouge[i] = c.ROUGEL(i, s)
			}
			if e.wanted[CIDEr] {
				cider[i] = c.CIDEr(i, overlap.CIDErD, s)
			}
			if e.wanted[CIDErPlain] {
				plain[i] = c.CIDEr(i, overlap.CIDErPlain, s)
			}
		}
	})
	if err != nil {
		return err
	}
	if e.wanted[BLEU] {
		e.addBLEU(bleu)
	}
	if e.wanted[ROUGEL] {
		e.addMean(ROUGEL, rouge)
	}
	if e.wanted[CIDEr] {
		e.addMean(CIDEr, cider)
	}
	if e.wanted[CIDErPlain] {
		e.addMean(CIDErPlain, plain)
	}
	return nil
}

func (e *run) addBLEU(pictures []overlap.BLEUStats) {
	s := stats.Sample{Names: []string{"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"}, Rows: make([][]float64, len(pictures))}
	for i, p := range pictures {
		row := make([]float64, 0, 10)
		for k := range p.Correct {
			row = append(row, float64(p.Correct[k]), float64(p.Guess[k]))
		}
		s.Rows[i] = append(row, float64(p.TestLen), float64(p.RefLen))
	}
	s.Score = func(sum []float64) []float64 {
		var t overlap.BLEUStats
		for k := range t.Correct {
			t.Correct[k], t.Guess[k] = int(sum[2*k]), int(sum[2*k+1])
		}
		t.TestLen, t.RefLen = int(sum[8]), int(sum[9])
		v := t.Score()
		return v[:]
	}
	e.add(s, true, "", func(i, k int) float64 { return pictures[i].Score()[k] })
}
