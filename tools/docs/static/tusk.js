/* Furo follows the reader's choice of light or dark; as Debian 12 has it, it lost that rule. */
(function () {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");

    function follow() {
        if ((localStorage.getItem("theme") || "auto") === "auto") {
            document.body.dataset.theme = dark.matches ? "dark" : "light";
        }
    }

    dark.addEventListener("change", follow);
    follow();
})();
