/* The bank's page: tells the page around it how the check went. */
document.querySelectorAll("button").forEach(function (button) {
  button.addEventListener("click", function () {
    window.parent.postMessage({ from: "ccbill-simulator", outcome: button.value }, "*");
  });
});
