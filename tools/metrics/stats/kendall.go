package stats

import (
	"cmp"
	"math"
	"slices"
)

// Tau holds Kendall's rank correlations of two rankings with ties.
type Tau struct {
	B float64 // for square tables
	C float64 // for tables of unequal sides, such as a metric against four grades
}

// Kendall correlates x and y, which are as long as each other, in n log n time.
// Where one is constant both are NaN.
// Source: Kendall 1945 (tau-b); Stuart 1953 (tau-c = 2(P-Q)m / (n²(m-1)), m the
// smaller number of distinct values).
func Kendall(x, y []float64) Tau {
	n := len(x)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	grades := slices.Clone(y)
	slices.Sort(grades)
	grades = slices.Compact(grades)
	below := make([]int, len(grades)+1) // Fenwick tree over the grades of y
	var concordant, discordant, tiedX, tiedY float64
	distinctX, seen := 0, 0
	counts := make([]int, len(grades))
	for i := 0; i < n; {
		j := i
		for j < n && x[order[j]] == x[order[i]] {
			j++
		}
		distinctX++
		tiedX += pairs(j - i)
		for _, k := range order[i:j] {
			g, _ := slices.BinarySearch(grades, y[k])
			lower := prefix(below, g)
			concordant += float64(lower)
			discordant += float64(seen - prefix(below, g+1))
		}
		for _, k := range order[i:j] {
			g, _ := slices.BinarySearch(grades, y[k])
			counts[g]++
			for t := g + 1; t < len(below); t += t & -t {
				below[t]++
			}
		}
		seen += j - i
		i = j
	}
	for _, c := range counts {
		tiedY += pairs(c)
	}
	m := float64(min(distinctX, len(grades)))
	s := concordant - discordant
	return Tau{
		B: s / math.Sqrt((pairs(n)-tiedX)*(pairs(n)-tiedY)),
		C: 2 * s * m / (float64(n) * float64(n) * (m - 1)),
	}
}

func pairs(n int) float64 { return float64(n) * float64(n-1) / 2 }

// prefix sums the first n grades.
func prefix(tree []int, n int) int {
	sum := 0
	for ; n > 0; n -= n & -n {
		sum += tree[n]
	}
	return sum
}
