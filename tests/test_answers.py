"""The table of verdicts, by claim: each line is gold, then predictions that are right or wrong."""

import threading

import pytest

from motif.answers import final_answer, grader_id, is_correct, is_correct_strictly

RIGHT = {
    "integers_are_numbers_however_they_are_written": [
        ("25", "025", "+25", "25.", "25.0", "$25$", "25.00", " 25 ", r"\boxed{25}", r"\(25\)", r"\[25\]", "**25**"),
        ("025", "25"), ("1080", "1,080", r"1{,}080", r"1,\!080", r"1\,080", "1 080", "1080.0", "$1,080$"),
        (r"11,\! 111,\! 100", "11111100", "11,111,100", r"11{,}111{,}100"), ("-4", "−4", "- 4", "$-4$", r"\text{-4}"),
        (r"10,\!080", "10080"), ("58,500", "58500"), ("0", "-0", "0.0", "000"),
    ],
    "currency_is_left_out": [
        ("18", "$18", r"\$18", "18 dollars", r"18\text{ dollars}", "$18.00", r"\$ 18", "18$", "$ 18 $", "€18", "18 USD"),
        (r"\$32,\!348", "32348", "$32,348", r"\$32{,}348"), (r"\$18.90", "18.9", "18.90", "$18.90"),
        (r"5.4 \text{ cents}", "5.4", "5.4 cents", "5.4¢"),
    ],
    "units_are_left_out": [
        (r"5\text{ cm}", "5", "5 cm", r"5 \mathrm{cm}", r"5\,\text{cm}", "5 centimeters", r"5~\mathrm{cm}", r"5\mbox{ cm}"),
        ("5", "5 cm", r"5 \text{ apples}", "5 apples", "5 m", r"5\text{ m}^2", "5 cm^2", "5 square feet", "5 hours"),
        (r"10 \mathrm{km/h}", "10", "10 km/h", r"10\text{ km/h}", r"10\ \text{km}/\text{h}"),
        (r"864 \mbox{ inches}^2", "864", r"864\text{ in}^2", "864 square inches"), (r"15\mbox{ cm}^2", "15", "15 cm²"),
        (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}", r"\dfrac{270}{7}^\circ", r"\frac{270}{7} \text{ degrees}"),
        (r"12\pi\text{ inches}", r"12\pi", r"12 \pi \text{ in}"), (r"3\sqrt{2}\text{ m}", r"3\sqrt2"),
    ],
    "degrees_are_left_out": [
        (r"90^\circ", "90", r"90^{\circ}", "90°", "90 degrees", r"90 \text{ degrees}", r"$90^\circ$"), ("30", r"30^\circ"),
    ],
    "a_percentage_is_its_number_or_its_share": [
        ("50", r"50\%", "50%", "50 percent", r"50 \text{ percent}"), (r"50\%", "50", "0.5", r"\frac12", "50 %"), ("0.5", "50%"),
        (r"33\frac13\%", r"33\frac{1}{3}"),
    ],
    "fractions_are_numbers": [
        (r"\frac{1}{2}", "1/2", "0.5", ".5", r"\dfrac12", r"\tfrac{1}{2}", r"\frac12", r"\frac 12", "2/4", r"\frac{2}{4}", "½"),
        ("0.5", r"\frac12", ".50"), (r"-\frac{1}{2}", r"\frac{-1}{2}", r"\frac{1}{-2}", "-1/2", "-0.5", r"-\dfrac{1}{2}"),
        (r"\frac9{19}", "9/19"), (r"\frac43", r"\frac{4}{3}", r"1\frac{1}{3}", "1 1/3"), (r"\frac 59", r"\frac{5}{9}"),
        (r"1\frac{4}{5}", "9/5", "1.8", r"\frac{9}{5}", "1 4/5"), (r"137 \frac{1}{2}", "137.5", r"\frac{275}{2}"),
        (r"\frac{3}{2}", r"1\frac{1}{2}", "1 1/2", "3/2", "1.5"), (r"\frac{1}{3}", r"0.\overline{3}", "0.333333", "0.3333333"),
        (r"\frac{a}{b}", "a/b"), (r"\frac{17}{50}", "0.34", "0.340"), (".35625", "0.35625", r"\frac{57}{160}"),
    ],
    "powers_of_ten_are_numbers": [
        ("1200", "1.2e3", r"1.2\times 10^3", r"1.2 \times 10^{3}", r"1.2 \cdot 10^3", "1.2E3", "1.2 x 10^3", "1.2×10³"),
        ("26000", r"2.6\times10^4"), (".0000672", r"6.72\times 10^{-5}", "6.72e-5", "0.0000672"), ("1000000", "10^6"),
    ],
    "decimals_agree_to_six_places": [("3.21", "3.210"), (r"\frac{1}{7}", "0.142857"), (r"\sqrt{2}", "1.414214"), (r"\pi", "3.14159265")],
    "roots_and_constants_are_numbers": [
        (r"2\sqrt{113}", r"\sqrt{452}", r"2 \sqrt{113}", r"2\cdot\sqrt{113}", "2*sqrt(113)", "2√113"),
        (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}", r"\sqrt3/3", r"\frac{\sqrt3}3"), (r"11\sqrt2", r"11\sqrt{2}"),
        (r"288 \pi", r"288\pi", "288π", r"\pi \cdot 288"), (r"18+2\pi", r"2\pi + 18"), (r"\sqrt3", r"3^{1/2}", r"\sqrt{3}"),
        (r"3 \sqrt{5}", r"\sqrt{45}"), (r"11 \sqrt{5} + 11", r"11(\sqrt5+1)"), ("2", r"\sqrt[3]{8}"), ("120", "5!"),
        ("10", r"\binom{5}{2}"), ("1024", "2^{10}"), ("3", r"\log_2 8"), ("6 - 5i", "-5i+6", "6-5i"), (r"\frac{20000}{\pi}", r"20000/\pi"),
    ],
    "formulas_are_their_value": [
        ("(a+5)(b+2)", "ab+2a+5b+10", "(b+2)(a+5)", r"(a + 5) \cdot (b + 2)"), ("x^2-1", "(x-1)(x+1)", "-1+x^2", "x^{2} - 1"),
        ("2k+2", "2(k+1)", "2 + 2k"), ("6r^2-4r-24", "2(3r^2-2r-12)"), (r"\cot x", r"\frac{\cos x}{\sin x}", r"\frac{1}{\tan x}"),
        ("x^5 - x^4 + x^3 - x^2 + x - 1", "(x-1)(x^4+x^2+1)"), (r"\frac{11+9a}{20}", r"\frac{9a+11}{20}", "(11+9a)/20"),
        ("8n^2 + 4n + 1", r"8n^2+4n+1", "4n(2n+1)+1"), ("3R^2", "3 R^{2}"), (r"\frac{n(n+1)}{2}", "n(n+1)/2", r"\binom{n+1}{2}"),
        ("p - q", "-q+p"), ("5r^5", r"5 \cdot r^5"), (r"\sin^2 x+\cos^2 x", "1"), ("x^2+2x+1", "(x+1)^2"),
    ],
    "an_assignment_is_its_value": [
        ("3", "x=3", "x = 3", r"$x=3$", "k = 3", r"\text{Area} = 3", "f(2)=3", "x = 6/2 = 3"), ("x=5", "5", "x=5", "x = 5.0"),
        ("y = 2x + 3", "2x+3", "y=3+2x", "y = 2x+3", "y-2x=3"), ("2x+1", "y=2x+1", "f(x)=2x+1"), ("y = -2x", "-2x", "y+2x=0"),
    ],
    "an_equation_is_its_multiples": [
        ("5x - 7y + 11z + 4 = 0", "10x-14y+22z+8=0", "-5x+7y-11z-4=0", "5x-7y+11z=-4"),
        ("x^2+y^2=1", "y^2+x^2=1", "1=x^2+y^2"), (r"\frac{x^2}{4}+\frac{y^2}{9}=1", "9x^2+4y^2=36"),
    ],
    "intervals_and_inequalities": [
        ("(3,4]", r"\left(3,4\right]", "3 < x \\le 4", r"x \in (3,4]", "(3, 4]"), (r"x \in [-2,7]", "[-2,7]", r"-2 \leq x \leq 7", r"[-2, 7]"),
        (r"(2,\infty)", "x>2", r"(2, \infty)", r"(2,+\infty)", "2<x"), (r"(-\infty, 0]", r"x \le 0", r"(-\infty,0]", "(-inf, 0]"),
        (r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty)\cup(-\infty,2)", r"x<2 \text{ or } x>3", r"x \in (-\infty,2)\cup(3,\infty)"),
        (r"(0,9) \cup (9,36)", r"(9,36)\cup(0,9)", "(0, 9) U (9, 36)"), (r"(-\sqrt{3}, \sqrt{3})", r"-\sqrt3 < x < \sqrt3"),
        (r"\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right]", r"[\pi^2/8, 5\pi^2/4]"), ("[0,1)", "[0,1)", r"[0, 1.0)", r"0\le x<1"),
        (r"\left(\frac{3}{5},\frac{8}{3}\right]", "(3/5, 8/3]", "(0.6,8/3]"),
    ],
    "tuples_agree_item_by_item": [
        ("(15,-29)", "(15, -29)", r"\left(15,-29\right)", "( 15 , -29 )"), (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\pi/2)", r"(3, \frac\pi2)"),
        ("(1,2)", "1,2", "x=1, y=2", "(1.0, 4/2)", "(x,y)=(1,2)", r"\langle 1,2\rangle"), ("(6,31,-1)", "(6, 31, -1)"), ("(1,-16,-4,43)", "(1, -16, -4, 43)"),
        (r"\left( \frac{3}{2}, -13 \right)", "(1.5,-13)", "(3/2, -13)"),
    ],
    "lists_and_sets_agree_in_any_order": [
        ("1,-2", "-2,1", "1, -2", "-2 and 1", r"-2 \text{ and } 1", r"\{1,-2\}", r"x=1 \text{ or } x=-2", "x = 1, -2", "1; -2", r"$1$ and $-2$"),
        ("3, 5, 7", "7,5,3", "3, 5, and 7", r"\{3,5,7\}", "$3$, $5$, $7$"), (r"\{1\pm\sqrt{5},-2\}", r"-2,1+\sqrt5,1-\sqrt5", r"\{-2,1-\sqrt{5},1+\sqrt{5}\}"),
        (r"1 \pm \sqrt{19}", r"1+\sqrt{19},1-\sqrt{19}", r"1 - \sqrt{19}, 1 + \sqrt{19}", r"x = 1 \pm \sqrt{19}", "1±√19"),
        (r"3 \pm 2 \sqrt{2}", r"3+2\sqrt2, 3-2\sqrt2"), (r"\pm 2", "2,-2", "-2, 2", r"\{-2,2\}"), (r"\emptyset", r"\varnothing", r"\{\}"),
        (r"(1,2),(3,4)", "(3,4), (1,2)", "(1,2) and (3,4)"), ("1,000, 2,000", "2000, 1000"), ("{1,2}", "2,1"), (r"\boxed{1} and \boxed{2}", "1,2"),
    ],
    "matrices_agree_cell_by_cell": [
        (r"\begin{pmatrix} -1 & 0 \\ 0 & -1 \end{pmatrix}", r"\begin{bmatrix}-1&0\\0&-1\end{bmatrix}", r"\left[\begin{matrix}-1&0\\0&-1\end{matrix}\right]"),
        (r"\begin{pmatrix} 1/5 \\ -18/5 \end{pmatrix}", r"\begin{pmatrix} 0.2 \\ -3.6 \end{pmatrix}", r"\begin{pmatrix}\frac15\\ -\frac{18}{5}\end{pmatrix}"),
        (r"\begin{pmatrix} -2 \\ -14 \\ -7 \end{pmatrix}", r"\begin{pmatrix}-2\\-14\\-7\end{pmatrix}", r"\begin{array}{c}-2\\-14\\-7\end{array}"),
        (r"\begin{pmatrix}\sqrt8\end{pmatrix}", r"\begin{pmatrix}2\sqrt2\end{pmatrix}"),
    ],
    "words_are_words": [
        (r"\text{Evelyn}", "Evelyn", "evelyn", r"\textbf{Evelyn}", r"\mathrm{Evelyn}", "$\\text{Evelyn}$", "Evelyn."), (r"\text{east}", "east", "East"),
        (r"\text{even}", "even", r"\text{Even}"), ("yes", "Yes", r"\text{yes}", "Yes."), (r"\text{no}", "No"), (r"\text{ellipse}", "an ellipse"),
        (r"\text{June 6}", "June 6"), ("no solution", r"\text{No solution}"),
    ],
    "a_choice_is_its_letter": [
        (r"\text{(C)}", "C", "(C)", r"\text{C}", r"\textbf{(C)}", "C.", r"(C)\ 12", "C. 12", r"\boxed{\text{(C)}}"), ("A", r"\text{(A)}", "(A)", r"\mathrm{A}", "A)"),
    ],
    "a_base_may_be_left_out_where_the_gold_names_it": [("52_8", "52_8", "52_{8}", r"52_{\text{8}}", "52"), ("4210_{5}", "4210_5")],
    "a_text_with_a_box_or_a_statement_is_its_answer": [
        ("5", r"So the result is $\boxed{5}$.", r"\boxed{4} no: \boxed{5}", "The answer is 5.", "The final answer is $5$. I hope it is correct.", "Answer: 5", "#### 5", r"<think>6</think> \boxed{5}", r"\fbox{5}", r"\boxed 5"),
        (r"\frac12", r"Therefore $\frac{1}{2}$.", r"the answer is $\dfrac12$"), ("2, 3", r"$\boxed{2}$ and $\boxed{3}$"),
    ],
    "ways_of_typesetting_are_alike": [
        (r"\frac{14}{3}", r"\displaystyle\frac{14}{3}", r"{\frac{14}{3}}", r"\mathbf{\frac{14}{3}}", r"$$\frac{14}{3}$$", r"\[ \frac{14}{3} \]", r"\frac{14}{3}.", r"\left(\frac{14}{3}\right)", r"\\frac{14}{3}"),
        ("x^2", r"\mathbf{x}^2", "x^{2}", "x²", r"\mathit{x}^2"),
    ],
}  # fmt: skip

WRONG = {
    "other_numbers": [
        ("1080", "80", "108", "1, 080", "1.080"), ("7", "6", "seven", "", "-7", "77"), ("15", "1.5"), ("12", "1,2", "1/2", "(1,2)", "1 2"), ("1/2", "12", "2", "-1/2"),
        (r"\frac{1}{3}", "0.33", "0.3", "0.3334"), (".0000672", "0.0000671", "0.00006"), ("11/2", "1 1/2", r"1\frac12"), ("1 1/2", "11/2"), ("1234", "1, 234", "12,34"),
        (r"2\sqrt{113}", r"2\sqrt{112}", "113", r"\sqrt{226}"), (r"\pi", "3.14", "3"), ("50", "0.5", "0.50"), ("1200", "1.2e2", r"1.2\times10^2"), ("0", r"\emptyset"),
        ("0.1", "0.10001"), ("10^6", "10^5", "60"), ("-5", "5"), (r"\infty", r"-\infty", "1"), ("100", "10^{100}"),
    ],
    "other_units": [(r"5\text{ cm}", "5 m", r"5\text{ inches}", "6 cm"), ("18 dollars", "18 cents"), ("2t", "2"), ("5m", "5"), ("3x", "3"), (r"15\text{ cm}^2", r"15\text{ m}^2")],
    "other_intervals": [
        ("[0,1)", "(0,1)", "[0,1]", "(0,1]", "[0,2)"), ("(3,4]", "[3,4]", "3<x<4", "3,4"), (r"(2,\infty)", r"[2,\infty)", r"x\ge2", "x<2", r"(-\infty,2)"),
        (r"(0,9) \cup (9,36)", "(0,36)", "(0,9)", r"(0,9] \cup (9,36)"), ("[1,2]", "(1,2)", "1,2", r"\{1,2\}"),
    ],
    "a_tuple_is_not_its_reversal": [("(1,2)", "(2,1)", "2,1", "(1,2,3)", r"\{2,1\}", "12", "1"), ("(6,31,-1)", "(31,6,-1)", "(6,31,1)"), ("1,2", "1,3", "1", "2", "1,2,3", "3,2"), (r"\{1,2\}", r"\{1,3\}", "(2,1)", "(1,2)")],
    "other_formulas": [
        ("x^2-1", "x^2+1", "(x-1)^2", "x^3-1"), ("2x+1", "2y+1", "x+1", "y=2x-1"), ("(a+5)(b+2)", "(a+2)(b+5)"), ("6 - 5i", "6+5i", "5-6i"), ("p - q", "q-p"),
        ("x=3", "y=3", "x=4", "4"), ("x^2+y^2=1", "x^2+y^2=2", "x^2-y^2=1"), ("y = 2x + 3", "y=2x", "2x-3", "x=2y+3"), ("y-2x=3", "2x+3"), ("2x+z=1", "1"), (r"x^2=-1", "x^2=-4"),
        (r"1 \pm \sqrt{19}", r"1+\sqrt{19}", r"1 \pm \sqrt{17}", r"-1\pm\sqrt{19}"), (r"\cot x", r"\tan x"), (r"\frac{a}{b}", r"\frac{b}{a}"),
    ],
    "other_matrices": [
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 & 3 & 4 \end{pmatrix}", r"\begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}", "1,2,3,4"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \end{pmatrix}"),
    ],
    "other_words": [(r"\text{east}", "seat", "west", "eats"), ("yes", "no"), (r"\text{Evelyn}", "Carla", "E"), (r"\text{even}", "odd", "2", "seven"), (r"\text{(C)}", "(B)", "D", "12"), ("A", "B", "AB", "a or b")],
    "other_bases": [("52_8", "52_7", "53_8", "42"), ("15", "17_8", "15_8"), ("17", "17_8")],
    "no_answer": [("5", r"\boxed{5", r"\boxed{", "", " ", "there are 5 apples or 6", r"\boxed{}", "I think it is between 5 and 7"), ("1080", "the number 1080 or so, maybe 80")],
}  # fmt: skip


def cases(table):
    for claim, lines in table.items():
        for gold, *predictions in lines:
            for prediction in predictions:
                yield pytest.param(prediction, gold, id=f"{claim}:{gold}|{prediction}"[:120].encode("ascii", "replace").decode())


@pytest.mark.parametrize(("prediction", "gold"), cases(RIGHT))
def test_the_same_answers_are_right(prediction, gold):
    assert is_correct(prediction, gold)


@pytest.mark.parametrize(("prediction", "gold"), cases(WRONG))
def test_different_answers_are_wrong(prediction, gold):
    assert not is_correct(prediction, gold)


@pytest.mark.parametrize(
    ("prediction", "gold"), [(p, gold) for lines in RIGHT.values() for gold, *ps in lines for p in ps if "$" not in p + gold and "oxed" not in p + gold and len(p) < 25]
)  # fmt: skip
def test_what_is_right_bare_is_right_between_dollars(prediction, gold):
    assert is_correct(f"${prediction}$", f"${gold}$")
